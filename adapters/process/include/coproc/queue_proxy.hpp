// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>
#include <coproc/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace coproc {

/// A queue that lives in a manager's server, also for programs on other machines: Python's managed
/// Queue. A handle, as dict_proxy is; behaves as coproc::queue does, which is faster within one
/// machine. First in, first out; those who wait are served in their order.
///
/// put returns when the element is in the server. An element that was sent to a consumer which died
/// before it arrived goes back to the front. Thread safe. *Exceptions* of all calls:
/// queue_closed_error after close() (a get only once the queue is empty), end_of_stream_error when
/// the server is gone, timeout_error through within(), after which an element that was to be put
/// may be in the queue, or not.
template <class T>
class queue_proxy : public detail::proxy_base<queue_proxy<T>> {
    static_assert(sendable<T>,
                  "coproc: what a manager keeps must be sendable (see coproc::sendable)");
    using op = detail::manager_op;

public:
    using value_type = T; ///< of the elements

    /// Empty: refers to no queue.
    queue_proxy() noexcept = default;

    /// Waits while the queue is full.
    void put(const T& value) const { this->get_(op::queue_put, detail::pack(value)); }
    /// At most for so long; then queue_full_error.
    void put(const T& value, duration timeout) const {
        this->get_(op::queue_put, detail::pack(value), detail::as_timeout(timeout));
    }
    /// False: the queue is full.
    [[nodiscard]] bool try_put(const T& value) const {
        auto reply = this->ask(op::queue_put, detail::pack(value), detail::do_not_wait);
        if (reply.status() == detail::manager_status::full) return false;
        detail::require_ok(reply);
        return true;
    }

    /// Waits while the queue is empty.
    T get() const { return this->template get_<T>(op::queue_get); }
    /// At most for so long; then queue_empty_error.
    T get(duration timeout) const {
        return this->template get_<T>(op::queue_get, {}, detail::as_timeout(timeout));
    }
    /// Nothing: the queue is empty.
    [[nodiscard]] std::optional<T> try_get() const {
        auto reply = this->ask(op::queue_get, {}, detail::do_not_wait);
        if (reply.status() == detail::manager_status::empty) return std::nullopt;
        return detail::unpack<T>(std::move(reply));
    }

    /// *Completion signature*: void(std::exception_ptr). *Cancellation* of any type: the element is
    /// not put, and the operation fails with cancelled_error, unless it was put already.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_put(T value, Token&& token = Token()) const {
        auto kept = std::make_shared<const T>(std::move(value));
        return this->template start_<void, op::queue_put>(std::forward<Token>(token),
                                                          [kept] { return detail::pack(*kept); });
    }
    /// *Completion signature*: void(std::exception_ptr, T). *Cancellation* of any type, until the
    /// handler runs: it completes with cancelled_error, and an element that it had been given goes
    /// back to the front of the queue.
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_get(Token&& token = Token()) const {
        return this->template start_<T, op::queue_get>(std::forward<Token>(token));
    }

    /// A moment's figures.
    [[nodiscard]] std::size_t size() const { return read_size(state()); }
    [[nodiscard]] bool empty() const { return read_empty(state()); }
    [[nodiscard]] bool full() const { return read_full(state()); }
    /// The bound; 0: none.
    [[nodiscard]] std::size_t maxsize() const { return read_maxsize(state()); }
    /// Whether it was closed; there may be elements in it.
    [[nodiscard]] bool closed() const { return read_closed(state()); }
    /// For all: what is in it is still delivered.
    void close() const { this->get_(op::queue_close); }

    /// The asynchronous forms of the others. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Exceptions*: as the
    /// blocking form. *Cancellation* of any type, until the reply has come: cancelled_error, at
    /// once; what was sent may be carried out all the same.
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return this->template start_<std::size_t, op::queue_state>(
            std::forward<Token>(token), detail::no_payload{}, &read_size);
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_empty(Token&& token = Token()) const {
        return this->template start_<bool, op::queue_state>(std::forward<Token>(token),
                                                            detail::no_payload{}, &read_empty);
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_full(Token&& token = Token()) const {
        return this->template start_<bool, op::queue_state>(std::forward<Token>(token),
                                                            detail::no_payload{}, &read_full);
    }
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_maxsize(Token&& token = Token()) const {
        return this->template start_<std::size_t, op::queue_state>(
            std::forward<Token>(token), detail::no_payload{}, &read_maxsize);
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_closed(Token&& token = Token()) const {
        return this->template start_<bool, op::queue_state>(std::forward<Token>(token),
                                                            detail::no_payload{}, &read_closed);
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_close(Token&& token = Token()) const {
        return this->template start_<void, op::queue_close>(std::forward<Token>(token));
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "queue<" + detail::wire_name<T>() + ">"; }

private:
    struct figures {
        explicit figures(detail::remote_reply&& reply) {
            detail::require_ok(reply);
            detail::reader r = reply.in();
            size = static_cast<std::size_t>(r.template raw<std::uint64_t>());
            most = static_cast<std::size_t>(r.template raw<std::uint64_t>());
            closed = detail::decode<bool>(r);
        }
        std::size_t size = 0;
        std::size_t most = 0;
        bool closed = false;
    };
    detail::remote_reply state() const { return this->ask(op::queue_state); }
    static std::size_t read_size(detail::remote_reply&& reply) {
        return figures{std::move(reply)}.size;
    }
    static bool read_empty(detail::remote_reply&& reply) {
        return read_size(std::move(reply)) == 0;
    }
    static bool read_full(detail::remote_reply&& reply) {
        const figures now{std::move(reply)};
        return now.most != 0 && now.size >= now.most;
    }
    static std::size_t read_maxsize(detail::remote_reply&& reply) {
        return figures{std::move(reply)}.most;
    }
    static bool read_closed(detail::remote_reply&& reply) {
        return figures{std::move(reply)}.closed;
    }
};

template <class T>
struct codec<queue_proxy<T>> : detail::proxy_codec<queue_proxy<T>> {};

} // namespace coproc
