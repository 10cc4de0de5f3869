// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A proxy's way to its object in a manager's server: requests as bytes, replies as bytes. What the
// proxies have in common.

#include <coproc/codec.hpp>
#include <coproc/detail/manager_protocol.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/detail/wire_name.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// What call and make say when the two sides are not the same program.
inline constexpr const char* other_build_text =
    "coproc: call and make need the same build of the program at both ends, since a function's "
    "name "
    "is where it stands in it; this manager's server is another build. The built-in objects (dict, "
    "queue, ...) work all the same";

struct remote_payload {
    std::vector<std::byte> bytes{};
    std::vector<int> descriptors{}; // borrowed from the values
};

/// What the server said. Owns the descriptors that came with it until they are taken.
class remote_reply final : private descriptor_source {
public:
    remote_reply() noexcept = default;
    remote_reply(manager_status status, std::vector<std::byte> bytes,
                 std::vector<int> descriptors) noexcept
        : status_{status}, bytes_{std::move(bytes)}, descriptors_{std::move(descriptors)} {}
    remote_reply(remote_reply&& other) noexcept;
    remote_reply& operator=(remote_reply&& other) noexcept;
    ~remote_reply() override;

    [[nodiscard]] manager_status status() const noexcept { return status_; }
    [[nodiscard]] bool ok() const noexcept { return status_ == manager_status::ok; }
    [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }
    [[nodiscard]] reader in() noexcept { return reader{bytes_, this}; }
    /// One value of a list of them, which has its length before it.
    template <class T>
    T counted(reader& r) {
        const std::size_t size = r.count(1);
        reader part{{r.bytes(size), size}, this};
        return decode<T>(part);
    }

private:
    int take_descriptor() override;

    manager_status status_ = manager_status::ok;
    std::vector<std::byte> bytes_{};
    std::vector<int> descriptors_{};
    std::size_t taken_ = 0;
};

/// Throws what the status stands for, if it is not ok.
void require_ok(remote_reply& reply);

/// Whom to tell of the reply to a request that nobody blocks for. Called once, on any thread.
class remote_waiter {
public:
    virtual void on_reply(remote_reply&& reply) noexcept = 0;
    virtual void on_failure(std::exception_ptr error) noexcept = 0;

protected:
    ~remote_waiter() = default;
};

/// An object in a server, as long as somebody here holds it. Thread safe.
class remote_object {
public:
    remote_object() = default;
    remote_object(const remote_object&) = delete;
    remote_object& operator=(const remote_object&) = delete;
    virtual ~remote_object() = default;

    /// Throws end_of_stream_error when the server is gone. The reply may be a refusal.
    virtual remote_reply call(manager_op op, const remote_payload& what,
                              std::uint64_t timeout = wait_for_ever) const = 0;
    /// The request's number, for cancel. Throws as call does, and then forgets the waiter.
    virtual std::uint64_t start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                                remote_waiter& waiter) const = 0;
    /// The reply says whether it was in time.
    virtual void cancel(std::uint64_t request) const noexcept = 0;
    /// What came with a reply that nobody wants any more. No reply.
    virtual void give_back(const remote_payload& what) const noexcept = 0;

    /// Functions mean the same there as here.
    [[nodiscard]] virtual bool same_build() const noexcept = 0;
    [[nodiscard]] virtual hosted_kind kind() const noexcept = 0;
    [[nodiscard]] virtual const std::string& type() const noexcept = 0;

    // As a value that is sent: a reference is taken along, which the receiver has then.
    virtual void size(sizer& s) const = 0;
    virtual void encode(writer& w) const = 0;
};
using remote_ptr = std::shared_ptr<remote_object>;

/// Connects, if this process has no connection yet. Throws if the object is not of this type.
remote_ptr decode_remote(reader& r, const std::string& type);
/// Throws coproc::error that names both types.
void require_type(const remote_object& object, const std::string& type);
[[noreturn]] void throw_empty_proxy();

inline const remote_object& held(const remote_ptr& object) {
    if (object == nullptr) throw_empty_proxy();
    return *object;
}

// --- payloads ------------------------------------------------------------------------------------

template <class... T>
remote_payload pack(const T&... values) {
    sizer s;
    (size(s, values), ...);
    remote_payload result;
    result.bytes.resize(s.size());
    writer w{result.bytes, &result.descriptors};
    (encode(w, values), ...);
    return result;
}

/// A key with its length, then values. A key is compared as the bytes it is, so it holds no handle.
template <class K, class... V>
remote_payload pack_keyed(const K& key, const V&... values) {
    sizer keys;
    size(keys, key);
    sizer s;
    s.bytes(sizeof(std::uint64_t) + keys.size());
    (size(s, values), ...);
    remote_payload result;
    result.bytes.resize(s.size());
    writer w{result.bytes, &result.descriptors};
    w.raw(static_cast<std::uint64_t>(keys.size()));
    writer key_writer{{w.claim(keys.size()), keys.size()}};
    encode(key_writer, key);
    (encode(w, values), ...);
    return result;
}

template <class T>
T unpack(remote_reply&& reply) {
    require_ok(reply);
    if constexpr (!std::is_void_v<T>) {
        reader r = reply.in();
        return decode<T>(r);
    }
}

/// A count, then as many as `next(reply, reader)` takes.
template <class T, class Next>
std::vector<T> unpack_all(remote_reply&& reply, Next next) {
    require_ok(reply);
    reader r = reply.in();
    std::vector<T> result;
    const std::size_t count = r.count(sizeof(std::uint64_t));
    result.reserve(count);
    for (std::size_t i = 0; i != count; ++i)
        result.push_back(next(reply, r));
    return result;
}

inline std::uint64_t as_timeout(duration d) noexcept {
    return d.count() <= 0                         ? do_not_wait
           : d == std::chrono::nanoseconds::max() ? wait_for_ever
                                                  : static_cast<std::uint64_t>(d.count());
}

// --- asynchronous requests -----------------------------------------------------------------------

/// Something taken: an element, a lock, a permit. If it comes too late, it is given back.
template <manager_op Op>
inline constexpr bool takes = Op == manager_op::queue_get || Op == manager_op::mutex_lock ||
                              Op == manager_op::semaphore_acquire;

template <class R, manager_op Op>
class remote_operation final : public operation<R>, public remote_waiter {
public:
    explicit remote_operation(remote_ptr object) : object_{std::move(object)} {}

    static state_ptr<R> begin(const remote_ptr& object, const remote_payload& what) {
        held(object);
        boost::intrusive_ptr<remote_operation> made{new remote_operation{object}};
        made->self_ = made; // until there is a reply
        try {
            made->request_ = object->start(Op, what, wait_for_ever, *made);
        } catch (...) {
            made->self_.reset();
            throw;
        }
        return made;
    }

    /// Until its handler runs: before the reply the server decides, after it what came is given
    /// back.
    bool cancel() noexcept override {
        auto now = phase::waiting;
        if (phase_.compare_exchange_strong(now, phase::cancelled, std::memory_order_acq_rel)) {
            object_->cancel(request_);
            return false; // the reply is still to come
        }
        if constexpr (takes<Op>) {
            if (now == phase::cancelled) return false;
            while (!this->ready()) // another thread is about to complete it
                std::this_thread::yield();
            if (this->error()) return false;
            give_back();
            this->set_error(std::make_exception_ptr(too_late()));
            return true;
        }
        return false;
    }

private:
    enum class phase : std::uint8_t { waiting, cancelled, replied };

    /// False: it was cancelled before.
    bool replied() noexcept {
        auto now = phase::waiting;
        return phase_.compare_exchange_strong(now, phase::replied, std::memory_order_acq_rel);
    }
    static cancelled_error too_late() {
        return cancelled_error{"coproc: the operation was cancelled"};
    }
    void give_back() noexcept {
        try {
            if constexpr (std::is_void_v<R>) {
                object_->give_back({});
            } else {
                const auto value = this->take(); // its descriptors are sent, and are its own
                object_->give_back(pack(value));
            }
        } catch (...) {
            // No memory: there is nothing left to do.
        }
    }
    void on_reply(remote_reply&& reply) noexcept override {
        const auto self = std::exchange(self_, nullptr);
        [[maybe_unused]] const bool wanted = replied();
        try {
            if constexpr (std::is_void_v<R>) {
                require_ok(reply);
                if constexpr (takes<Op>)
                    if (!wanted) {
                        object_->give_back({});
                        throw too_late();
                    }
                this->succeed();
            } else {
                R value = unpack<R>(std::move(reply));
                if constexpr (takes<Op>)
                    if (!wanted) {
                        object_->give_back(pack(value));
                        throw too_late();
                    }
                this->succeed(std::move(value));
            }
        } catch (...) {
            this->fail(std::current_exception());
        }
    }
    void on_failure(std::exception_ptr error) noexcept override {
        const auto self = std::exchange(self_, nullptr);
        replied();
        this->fail(std::move(error));
    }

    remote_ptr object_;
    std::uint64_t request_ = 0;
    std::atomic<phase> phase_{phase::waiting};
    boost::intrusive_ptr<remote_operation> self_;
};

/// `make_payload()` is called when the request is sent, which is when the token says so.
template <class R, manager_op Op, class MakePayload, class Token>
auto start_remote(remote_ptr object, MakePayload make_payload, Token&& token) {
    return async_start<R>(
        [object = std::move(object), make_payload = std::move(make_payload)] {
            return remote_operation<R, Op>::begin(object, make_payload());
        },
        std::forward<Token>(token));
}

inline remote_payload no_payload() { return {}; }

// --- what all proxies are --------------------------------------------------------------------------

/// Base of the proxies: a handle of an object, or empty. Derived has `static std::string type()`.
template <class Derived>
class proxy_base {
public:
    /// Whether there is an object behind it.
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    /// The same object (not: an equal value).
    friend bool operator==(const proxy_base& a, const proxy_base& b) noexcept {
        return a.object_ == b.object_;
    }

    /// For the library.
    [[nodiscard]] const remote_ptr& object() const noexcept { return object_; }
    [[nodiscard]] static Derived of(remote_ptr object) {
        Derived proxy;
        static_cast<proxy_base&>(proxy).object_ = std::move(object);
        return proxy;
    }

protected:
    proxy_base() noexcept = default;
    ~proxy_base() = default;
    proxy_base(const proxy_base&) = default;
    proxy_base(proxy_base&&) noexcept = default;
    proxy_base& operator=(const proxy_base&) = default;
    proxy_base& operator=(proxy_base&&) noexcept = default;

    remote_reply ask(manager_op op, const remote_payload& what = {},
                     std::uint64_t timeout = wait_for_ever) const {
        return held(object_).call(op, what, timeout);
    }
    template <class T = void>
    T get_(manager_op op, const remote_payload& what = {},
           std::uint64_t timeout = wait_for_ever) const {
        return unpack<T>(ask(op, what, timeout));
    }

private:
    remote_ptr object_;
};

/// Base of the proxies' codecs.
template <class Proxy>
struct proxy_codec {
    static void size(sizer& s, const Proxy& proxy) {
        s.bytes(1);
        if (proxy) proxy.object()->size(s);
    }
    static void encode(writer& w, const Proxy& proxy) {
        w.raw(static_cast<std::uint8_t>(static_cast<bool>(proxy)));
        if (proxy) proxy.object()->encode(w);
    }
    static Proxy decode(reader& r) {
        if (r.raw<std::uint8_t>() == 0) return Proxy{};
        return Proxy::of(decode_remote(r, Proxy::type()));
    }
};

} // namespace coproc::detail
