// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/dummy/queue.hpp>

namespace coproc::dummy {

/// A queue that knows what was done with its elements: consumers call task_done() after each, and
/// join() waits until all that were put are done. It is a queue<T> too, the same one.
template <class T>
class joinable_queue : public queue<T> {
public:
    /// Without a bound.
    joinable_queue() : joinable_queue{0} {}
    /// Holds at most so many elements; 0 or less: without a bound.
    template <detail::count N>
    explicit joinable_queue(N maxsize)
        : queue<T>{queue<T>::at_most(maxsize), std::make_shared<detail::threads::unfinished>()} {}

    /// An element that was got is done with. *Exceptions*: std::logic_error when called more often
    /// than elements were put.
    void task_done() const { this->items()->work().task_done(); }
    /// Waits until as many elements are done as were put, whether or not the queue is closed.
    void join() const { detail::threads::block(this->items()->work(), {}); }
    /// False when they were not done in time.
    bool join(duration timeout) const {
        return detail::threads::block(this->items()->work(), detail::deadline_after(timeout));
    }
    /// join() without blocking a thread. *Completion signature*: `void(std::exception_ptr)`.
    /// *Cancellation*: of any type; it completes with cancelled_error.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_join(Token&& token = Token()) const {
        return detail::async_start<void>(
            [items = this->items()]() -> detail::state_ptr<void> { return items->work().start(); },
            std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
