// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/queue_calls.hpp>

#include <boost/asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

/// A queue that knows when all its elements have been worked on: consumers say task_done() for each
/// element they got, join() waits until that was said for all. What a consumer had got and not done
/// when it died counts as done. Otherwise as queue.
template <class T>
class joinable_queue : public detail::queue_calls<T, true> {
    using calls = detail::queue_calls<T, true>;

public:
    /// As queue.
    joinable_queue() : calls{std::size_t{0}} {}
    /// As queue.
    template <std::integral N>
        requires(!std::same_as<N, bool>)
    explicit joinable_queue(N maxsize) : calls{detail::queue_bound(maxsize)} {}

    /// An element that this process got is done. *Exceptions*: std::logic_error when there is none
    /// that is not.
    void task_done() const { this->bytes().task_done(); }
    /// Waits until every element that was put is done.
    void join() const { this->bytes().join({}); }
    /// False when `timeout` passed first.
    [[nodiscard]] bool join(duration timeout) const {
        return this->bytes().join(detail::deadline_after(timeout));
    }
    /// Waits without blocking the thread. *Completion signature*: `void(std::exception_ptr)`, on
    /// the handler's associated executor. *Cancellation*: any type ends the wait with
    /// cancelled_error.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_join(Token&& token = Token()) const {
        return detail::async_start<void>([queue = this->bytes()] { return queue.start_join(); },
                                         std::forward<Token>(token));
    }

private:
    template <class Queue>
    friend struct detail::queue_codec;
    explicit joinable_queue(detail::byte_queue bytes) noexcept : calls{std::move(bytes)} {}
};

/// Travels as a handle of the same queue.
template <class T>
struct codec<joinable_queue<T>> : detail::queue_codec<joinable_queue<T>> {};

} // namespace coproc
