// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Requests that nobody blocks for, and replies that nobody waits for any more.

#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/may_carry_handles.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/detail/remote.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// How a reply is read.
template <class R>
struct read_as {
    R operator()(remote_reply&& reply) const { return unpack<R>(std::move(reply)); }
};

template <class T>
struct read_found {
    std::optional<T> operator()(remote_reply&& reply) const {
        return unpack_found<T>(std::move(reply));
    }
};
template <class T>
struct read_list {
    std::vector<T> operator()(remote_reply&& reply) const {
        return unpack_list<T>(std::move(reply));
    }
};
struct read_size {
    std::size_t operator()(remote_reply&& reply) const {
        return static_cast<std::size_t>(unpack<std::uint64_t>(std::move(reply)));
    }
};
struct read_empty {
    bool operator()(remote_reply&& reply) const { return read_size{}(std::move(reply)) == 0; }
};

/// A reply that came too late, with what is nowhere else. Proxies in it are references that were
/// lent to whoever reads it: they are read, and dropped. That asks their manager, so it is not done
/// where replies are received.
template <class Read>
void drop_unread(remote_reply&& reply, Read read) noexcept {
    using result = std::invoke_result_t<Read&, remote_reply&&>;
    if constexpr (!std::is_void_v<result>)
        if constexpr (may_carry_handles<result>()) {
            if (!reply.ok()) return;
            try {
                post_callback(
                    nullptr, [reply = std::move(reply), read = std::move(read)]() mutable noexcept {
                        try {
                            static_cast<void>(read(std::move(reply)));
                        } catch (...) {
                            // Nobody waits for what it was.
                        }
                    });
            } catch (...) {
                // No memory: the reference stays until whoever lent it is gone.
            }
        }
}
/// For remote_limit.
template <class R>
inline constexpr auto drop_late =
    [](remote_reply&& reply) noexcept { drop_unread(std::move(reply), read_as<R>{}); };

/// A request under way. Its reply is read on the handler's executor: reading a proxy asks the
/// manager, and whoever receives the replies could not wait for that.
template <class R, manager_op Op, class Read>
class remote_operation final : public operation<R>, public remote_waiter {
public:
    remote_operation(target_ptr<Op> object, Read how)
        : object_{std::move(object)}, read_{std::move(how)} {}
    /// A reply that came in time, but no handler for it.
    ~remote_operation() override {
        if constexpr (is_nowhere_else)
            if (unread_) drop_unread(std::move(reply_), read_);
    }

    static state_ptr<R> begin(const target_ptr<Op>& object, const remote_payload& what,
                              const Read& how) {
        held(object);
        boost::intrusive_ptr<remote_operation> made{new remote_operation{object, how}};
        made->self_ = made; // until there is a reply
        try {
            made->request_ = object->start(Op, what, wait_for_ever, *made);
        } catch (...) {
            made->self_.reset();
            throw;
        }
        return made;
    }

    /// Of what waits, the server decides, until the reply; after it, and until the handler runs,
    /// what came is given back. Anything else is left to itself: a call runs to its end.
    bool cancel() noexcept override {
        auto now = phase::waiting;
        if (phase_.compare_exchange_strong(now, phase::cancelled, std::memory_order_acq_rel)) {
            if constexpr (is_parked(Op)) {
                object_->cancel(request_);
                return false; // the reply is still to come
            } else {
                this->fail(cancelled());
                return true;
            }
        }
        if constexpr (takes(Op)) {
            if (now == phase::cancelled) return false;
            while (!this->ready()) // another thread is about to complete it
                std::this_thread::yield();
            if (this->error() || !reply_.ok()) return false;
            give_back();
            return true;
        }
        return false;
    }

    void fetch() noexcept override {
        unread_ = false;
        if (this->error()) return;
        try {
            if constexpr (std::is_void_v<R>)
                read_(std::move(reply_));
            else
                this->emplace(read_(std::move(reply_)));
        } catch (...) {
            this->set_error(std::current_exception());
        }
    }

private:
    /// What comes with the reply.
    static constexpr bool is_nowhere_else = hands_out(Op) || refers(Op);
    enum class phase : std::uint8_t { waiting, cancelled, replied };

    /// False: it was cancelled before.
    bool replied() noexcept {
        auto now = phase::waiting;
        return phase_.compare_exchange_strong(now, phase::replied, std::memory_order_acq_rel);
    }
    static std::exception_ptr cancelled() noexcept {
        return std::make_exception_ptr(cancelled_error{"coproc: the operation was cancelled"});
    }
    void give_back() noexcept {
        try {
            object_->give_back(reply_.contents());
        } catch (...) {
            // No memory: there is nothing left to do.
        }
        this->set_error(cancelled());
    }
    void on_reply(remote_reply&& reply) noexcept override {
        const auto self = std::exchange(self_, nullptr);
        const bool wanted = replied();
        if constexpr (!is_parked(Op))
            if (!wanted) {
                if constexpr (is_nowhere_else) drop_unread(std::move(reply), read_);
                return;
            }
        reply_ = std::move(reply);
        unread_ = true;
        if constexpr (takes(Op))
            if (!wanted && reply_.ok()) give_back();
        this->complete();
    }
    void on_failure(std::exception_ptr error) noexcept override {
        const auto self = std::exchange(self_, nullptr);
        const bool wanted = replied();
        if constexpr (!is_parked(Op))
            if (!wanted) return;
        this->fail(std::move(error));
    }

    target_ptr<Op> object_;
    Read read_;
    std::uint64_t request_ = 0;
    std::atomic<phase> phase_{phase::waiting};
    boost::intrusive_ptr<remote_operation> self_;
    remote_reply reply_;
    bool unread_ = false;
};

/// `make_payload()` is called when the request is sent, which is when the token says so, and
/// `read(reply)` when its handler is about to run.
template <class R, manager_op Op, class MakePayload, class Read, class Token>
auto start_remote(target_ptr<Op> object, MakePayload make_payload, Read read, Token&& token) {
    return async_start<R>(
        [object = std::move(object), make_payload = std::move(make_payload),
         read = std::move(read)] {
            return remote_operation<R, Op, Read>::begin(object, make_payload(), read);
        },
        std::forward<Token>(token));
}

struct no_payload {
    remote_payload operator()() const { return {}; }
};
/// One that was made before, of what holds no handles.
class packed {
public:
    explicit packed(remote_payload what)
        : what_{std::make_shared<const remote_payload>(std::move(what))} {}
    const remote_payload& operator()() const noexcept { return *what_; }

private:
    std::shared_ptr<const remote_payload> what_;
};

} // namespace coproc::detail
