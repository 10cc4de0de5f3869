// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/dummy/detail/channel.hpp>

#include <boost/asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace coproc {
namespace asio = boost::asio;
} // namespace coproc

namespace coproc::detail::threads {
[[nodiscard]] std::exception_ptr queue_closed();
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::queue among the threads and coroutines of one program: first in, first out, for any
/// number of producers and consumers. A handle, whose copies are one queue.
///
/// Elements of any movable type are moved in and out, nothing is encoded or copied. Moving one must
/// not throw: the exception goes to whoever gets it, and the element is lost. Those who wait are
/// served in the order in which they came. Thread safety: full.
template <class T>
class queue {
public:
    using value_type = T; ///< of its elements

    /// Without a bound.
    queue() : queue{0} {}
    /// Holds at most so many elements; 0 or less, as in Python: without a bound.
    template <detail::count N>
    explicit queue(N maxsize) : queue{at_most(maxsize), nullptr} {}
    /// The same queue. (There is no move: what is moved from stays usable.)
    queue(const queue&) noexcept = default;
    queue& operator=(const queue&) noexcept = default;
    ~queue() = default;

    /// Waits for room, and puts `x` in. *Exceptions*: queue_closed_error, also if it is closed
    /// meanwhile.
    void put(T x) const { items_->put(std::move(x), {}, items_); }
    /// *Exceptions*: queue_full_error when there was no room in time; queue_closed_error.
    void put(T x, duration timeout) const {
        if (!items_->put(std::move(x), detail::deadline_after(timeout), items_))
            throw queue_full_error{};
    }
    /// False, and `x` is as before, if there is no room now. *Exceptions*: queue_closed_error.
    bool try_put(T&& x) const { return items_->try_put(std::move(x)); }
    bool try_put(const T& x) const
        requires std::copy_constructible<T>
    {
        return items_->try_put(x);
    }
    /// Waits for an element. *Exceptions*: queue_closed_error when it is closed and empty.
    T get() const { return *items_->get({}, items_); }
    /// *Exceptions*: queue_empty_error when there was none in time; queue_closed_error.
    T get(duration timeout) const {
        auto x = items_->get(detail::deadline_after(timeout), items_);
        if (!x) throw queue_empty_error{};
        return std::move(*x);
    }
    /// Empty if there is no element now. *Exceptions*: queue_closed_error when it is closed and
    /// empty, so that a loop of tries has an end.
    std::optional<T> try_get() const { return items_->try_get(); }

    /// put() without blocking a thread. *Completion signature*: `void(std::exception_ptr)`.
    /// *Cancellation*: of any type, while it waits: it completes with cancelled_error, and the
    /// element is not in the queue.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_put(T x, Token&& token = Token()) const {
        return detail::async_start<void>(
            [items = items_, x = std::move(x)]() mutable -> detail::state_ptr<void> {
                return items->start_put(std::move(x), items);
            },
            std::forward<Token>(token));
    }
    /// get() without blocking a thread. *Completion signature*: `void(std::exception_ptr, T)`, for
    /// default-constructible T. *Cancellation*: of any type, until the handler runs: it completes
    /// with cancelled_error, and an element that it had stays in the queue, as the first (though
    /// other consumers may have got later ones meanwhile).
    template <asio::completion_token_for<void(std::exception_ptr, T)> Token = asio::deferred_t>
    auto async_get(Token&& token = Token()) const {
        return detail::async_start<T>(
            [items = items_]() -> detail::state_ptr<T> { return items->start_get(items); },
            std::forward<Token>(token));
    }

    /// The number of elements at this moment.
    [[nodiscard]] std::size_t size() const { return items_->size(); }
    /// Whether there are none at this moment.
    [[nodiscard]] bool empty() const { return size() == 0; }
    /// Whether there is no room at this moment.
    [[nodiscard]] bool full() const { return items_->full(); }
    /// The bound; 0: none.
    [[nodiscard]] std::size_t maxsize() const noexcept { return items_->bound(); }
    /// Ends the queue, for all: nothing more can be put, and those who wait for room get
    /// queue_closed_error; what is in it is still delivered. Does nothing the second time.
    void close() const { items_->close(); }
    /// Whether it was closed; there may be elements in it.
    [[nodiscard]] bool closed() const { return items_->closed(); }

protected:
    using channel = detail::threads::channel<T>; ///< for joinable_queue
    /// For joinable_queue.
    queue(std::size_t maxsize, std::shared_ptr<detail::threads::unfinished> work)
        : items_{
              std::make_shared<channel>(maxsize, detail::threads::queue_closed, std::move(work))} {}
    template <detail::count N>
    static std::size_t at_most(N maxsize) noexcept {
        return maxsize > 0 ? static_cast<std::size_t>(maxsize) : 0;
    }

    const std::shared_ptr<channel>& items() const noexcept { return items_; } ///< likewise

private:
    std::shared_ptr<channel> items_;
};

} // namespace coproc::dummy
