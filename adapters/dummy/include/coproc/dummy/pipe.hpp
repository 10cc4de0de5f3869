// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/channel.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace coproc {
namespace asio = boost::asio;
} // namespace coproc

namespace coproc::detail::threads {

[[nodiscard]] std::exception_ptr end_of_stream();
[[noreturn]] void connection_closed();

/// How many elements lie in each direction of a pipe before a sender waits.
inline constexpr std::size_t pipe_bound = 65'536;

/// What the handles of one end refer to; the last of them ends both directions.
template <class Send, class Recv>
struct pipe_end {
    pipe_end(std::shared_ptr<channel<Send>> o, std::shared_ptr<channel<Recv>> i) noexcept
        : out{std::move(o)}, in{std::move(i)} {}
    pipe_end(const pipe_end&) = delete;
    pipe_end& operator=(const pipe_end&) = delete;
    ~pipe_end() {
        out->close();
        in->abandon();
    }

    const std::shared_ptr<channel<Send>> out;
    const std::shared_ptr<channel<Recv>> in;
};

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// One end of a pipe among the threads and coroutines of one program: what is sent here is received
/// at the other end, first in, first out. A handle, whose copies are one end; when the last of them
/// is gone or closed, the other end gets end_of_stream_error, after what was sent before. What an
/// operation waits on it keeps alive.
///
/// Elements are moved, nothing is encoded or copied. 65,536 fit into each direction, then a sender
/// waits. Thread safety: distinct handles, and all but close() and assignment on one and the same.
///
/// *Exceptions*: std::logic_error on a handle that was closed or default-constructed.
template <class Send, class Recv = Send>
class connection {
public:
    /// Closed.
    connection() noexcept = default;

    /// Waits for room, and sends `x`. *Exceptions*: end_of_stream_error when the other end is gone,
    /// also if it goes meanwhile.
    void send(Send x) const { end()->out->put(std::move(x), {}, end_); }
    /// *Exceptions*: timeout_error (kind waiting) when there was no room in time;
    /// end_of_stream_error.
    void send(Send x, duration timeout) const {
        if (!end()->out->put(std::move(x), detail::deadline_after(timeout), end_))
            throw timeout_error{};
    }
    /// Waits for an element. *Exceptions*: end_of_stream_error when the other end is gone and all
    /// that it sent was received.
    Recv recv() const { return *end()->in->get({}, end_); }
    /// *Exceptions*: timeout_error (kind waiting) when none came in time; end_of_stream_error.
    Recv recv(duration timeout) const {
        auto x = end()->in->get(detail::deadline_after(timeout), end_);
        if (!x) throw timeout_error{};
        return std::move(*x);
    }
    /// Whether recv() would not wait now: there is an element, or the stream has ended.
    [[nodiscard]] bool poll() const { return poll(duration{}); }
    /// Waits until recv() would not wait; false when the time was up.
    [[nodiscard]] bool poll(duration timeout) const {
        return end()->in->poll(detail::deadline_after(timeout));
    }
    /// Drops this handle.
    void close() noexcept { end_.reset(); }

    /// send() without blocking a thread. *Completion signature*: `void(std::exception_ptr)`.
    /// *Cancellation*: of any type, while it waits: it completes with cancelled_error, and nothing
    /// was sent.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_send(Send x, Token&& token = Token()) const {
        return detail::async_start<void>(
            [c = *this, x = std::move(x)]() mutable -> detail::state_ptr<void> {
                return c.end()->out->start_put(std::move(x), c.end_);
            },
            std::forward<Token>(token));
    }
    /// recv() without blocking a thread. *Completion signature*: `void(std::exception_ptr, Recv)`,
    /// for default-constructible Recv. *Cancellation*: of any type, until the handler runs: it
    /// completes with cancelled_error, and an element that it had is received by the next.
    template <asio::completion_token_for<void(std::exception_ptr, Recv)> Token = asio::deferred_t>
    auto async_recv(Token&& token = Token()) const {
        return detail::async_start<Recv>(
            [c = *this]() -> detail::state_ptr<Recv> { return c.end()->in->start_get(c.end_); },
            std::forward<Token>(token));
    }

    /// For the library.
    explicit connection(std::shared_ptr<detail::threads::pipe_end<Send, Recv>> end) noexcept
        : end_{std::move(end)} {}

private:
    const std::shared_ptr<detail::threads::pipe_end<Send, Recv>>& end() const {
        if (end_ == nullptr) detail::threads::connection_closed();
        return end_;
    }

    std::shared_ptr<detail::threads::pipe_end<Send, Recv>> end_;
};

/// The two ends of a new pipe. What the first sends the second receives, and the other way round;
/// `pipe<T>()` carries the same type both ways.
template <class Send, class Recv = Send>
[[nodiscard]] std::pair<connection<Send, Recv>, connection<Recv, Send>> pipe() {
    using namespace detail::threads;
    auto there = std::make_shared<channel<Send>>(pipe_bound, end_of_stream);
    auto back = std::make_shared<channel<Recv>>(pipe_bound, end_of_stream);
    auto first = std::make_shared<pipe_end<Send, Recv>>(there, back);
    return {connection<Send, Recv>{std::move(first)},
            connection<Recv, Send>{
                std::make_shared<pipe_end<Recv, Send>>(std::move(back), std::move(there))}};
}

} // namespace coproc::dummy
