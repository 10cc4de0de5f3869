// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/codec.hpp>
#include <coproc/detail/byte_pipe.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <optional>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

template <class Send, class Recv = Send>
class connection;

template <class Send, class Recv = Send>
[[nodiscard]] std::pair<connection<Send, Recv>, connection<Recv, Send>> pipe();

/// One end of a pipe between processes, and their threads. What is sent here is received at the
/// other end: whole messages, first in, first out, each once. A handle, whose copies are one end,
/// also those that travelled to another process in a job's arguments, a queue or a pipe (the same
/// one, too); so an end may have many senders and receivers. When the last of them is gone, closed,
/// dropped or with its process (also if that was killed), and none is on its way, the other end
/// gets end_of_stream_error, after all that was sent before.
///
/// When send() returns, the message is safe: the sender may die. A message is lost only with a
/// receiver that died after it had taken it. Messages of any size pass; a sender waits while 1 MiB
/// of messages lies unread. A small message passes without a system call while the other side looks
/// out for it. After a plain fork() both processes have both ends: close what is not wanted there.
///
/// Thread safety: distinct handles, and all but close() and assignment on one and the same.
/// *Exceptions*: std::logic_error on a handle that was closed or default-constructed.
template <class Send, class Recv>
class connection {
    static_assert((detail::require_sendable<Send>(), true));
    static_assert((detail::require_sendable<Recv>(), true));

public:
    /// Closed.
    connection() noexcept = default;

    /// Waits for room, and sends `x`. *Exceptions*: end_of_stream_error when the other end is gone,
    /// also if it goes meanwhile; what encoding `x` throws; std::system_error (ENOMEM) when there
    /// is no memory for it. Nothing was sent then.
    void send(const Send& x) const { bytes_.send(source(x), {}); }
    /// The same for at most `timeout`. *Exceptions*: timeout_error (kind waiting) besides.
    void send(const Send& x, duration timeout) const {
        if (!bytes_.send(source(x), detail::deadline_after(timeout))) throw timeout_error{};
    }
    /// Waits for a message. *Exceptions*: end_of_stream_error when the other end is gone and all
    /// that it sent was received; what decoding the message throws, which is gone then.
    Recv recv() const { return *take({}); }
    /// The same for at most `timeout`. *Exceptions*: timeout_error (kind waiting) besides.
    Recv recv(duration timeout) const {
        auto x = take(detail::deadline_after(timeout));
        if (!x) throw timeout_error{};
        return *std::move(x);
    }
    /// Whether recv() would not wait now: there is a message, or the stream has ended.
    [[nodiscard]] bool poll() const { return bytes_.poll(detail::byte_queue::now()); }
    /// Waits until recv() would not wait; false when the time was up.
    [[nodiscard]] bool poll(duration timeout) const {
        return bytes_.poll(detail::deadline_after(timeout));
    }
    /// Drops this handle.
    void close() noexcept { bytes_.close(); }

    /// send() without blocking a thread; the message is encoded when the operation is started.
    /// *Completion signature*: `void(std::exception_ptr)`, on the handler's associated executor.
    /// *Cancellation*: of any type, while it waits: it completes with cancelled_error, and nothing
    /// was sent. *Exceptions*: as send().
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_send(Send x, Token&& token = Token()) const {
        return detail::async_start<void>(
            [bytes = bytes_, x = std::move(x)] { return bytes.start_send(source(x)); },
            std::forward<Token>(token));
    }
    /// recv() without blocking a thread. *Completion signature*: `void(std::exception_ptr, Recv)`,
    /// on the handler's associated executor, for default-constructible Recv. *Cancellation*: any
    /// type ends the wait with cancelled_error; no message is lost by it (one that had been taken
    /// just then is put back, unless it contains handles or is larger than 128 KiB).
    /// *Exceptions*: as recv().
    template <asio::completion_token_for<void(std::exception_ptr, Recv)> Token = asio::deferred_t>
    auto async_recv(Token&& token = Token()) const {
        return detail::async_start<Recv>([bytes = bytes_] { return start_recv(bytes); },
                                         std::forward<Token>(token));
    }

private:
    friend struct codec<connection>;
    friend std::pair<connection<Send, Recv>, connection<Recv, Send>> pipe<Send, Recv>();
    friend std::pair<connection<Recv, Send>, connection<Send, Recv>> pipe<Recv, Send>();
    explicit connection(detail::byte_connection bytes) noexcept : bytes_{std::move(bytes)} {}

    template <class T>
    static detail::element_source source(const T& x) {
        detail::sizer s;
        detail::size(s, x);
        return {s.size(), s.descriptors(), &x, [](const void* value, detail::writer& w) {
                    detail::encode(w, *static_cast<const T*>(value));
                }};
    }
    static detail::state_ptr<Recv> start_recv(const detail::byte_connection& bytes) {
        return detail::relayed<Recv>::run([&](detail::relayed<Recv>& result) {
            // A pointer will do, and a reference would be a circle: `result` outlives the wait.
            auto* const to = &result;
            return bytes.start_recv(
                [to](detail::reader& r) { to->emplace(detail::decode<Recv>(r)); },
                [bytes, to] {
                    bool back = false;
                    to->add_reader();
                    to->read([&](const Recv& x) { back = bytes.put_back(source(x)); });
                    return back;
                });
        });
    }
    std::optional<Recv> take(detail::time_limit until) const {
        std::optional<Recv> x;
        bytes_.recv([&x](detail::reader& r) { x.emplace(detail::decode<Recv>(r)); }, until);
        return x;
    }

    detail::byte_connection bytes_;
};

/// The two ends of a new pipe. What the first sends the second receives, and the other way round;
/// `pipe<T>()` carries the same type both ways.
///
///     auto [here, there] = coproc::pipe<int>();
///
/// *Exceptions*: std::system_error when there is no memory or descriptor.
template <class Send, class Recv>
std::pair<connection<Send, Recv>, connection<Recv, Send>> pipe() {
    auto [first, second] = detail::byte_connection::make(detail::pipe_types::of<Send, Recv>());
    return {connection<Send, Recv>{std::move(first)}, connection<Recv, Send>{std::move(second)}};
}

/// Travels as a handle of the same end.
template <class Send, class Recv>
struct codec<connection<Send, Recv>> {
    using parts = detail::types<>;

    static void size(detail::sizer& s, const connection<Send, Recv>& c) {
        detail::byte_connection::size(s, c.bytes_);
    }
    static void encode(detail::writer& w, const connection<Send, Recv>& c) {
        detail::byte_connection::encode(w, c.bytes_);
    }
    static connection<Send, Recv> decode(detail::reader& r) {
        return connection<Send, Recv>{
            detail::byte_connection::decode(r, detail::pipe_types::of<Send, Recv>())};
    }
};

} // namespace coproc
