// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/handle.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <boost/asio/deferred.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

namespace detail {
class mutex_object;
} // namespace detail

/// A lock between processes, and their threads. A handle: copies refer to the same lock, also those
/// that travelled to another process in a job's arguments, a queue or a pipe. For std::scoped_lock
/// and std::unique_lock.
///
///     coproc::mutex m;
///     pool.map([](coproc::mutex m, int i) { std::scoped_lock held{m}; ... }, ...);
///
/// The owner is a process: another of its threads may unlock, as a coroutine does that moved on.
/// When a process dies that holds the lock (or drops its last handle of it), the next one to lock
/// gets owner_died_error, and does not hold it: what the lock protects may be half changed. After
/// that the lock works again. Not fair: whoever comes at the right moment gets it. Thread safe.
class mutex {
public:
    /// A lock of its own. *Exceptions*: std::system_error when there is no memory or descriptor.
    mutex();

    /// Waits. *Exceptions*: owner_died_error, and the lock is not held then.
    void lock() const;
    /// Whether it could be had at once. *Exceptions*: as lock().
    [[nodiscard]] bool try_lock() const;
    /// Whether it could be had in time. *Exceptions*: as lock().
    [[nodiscard]] bool try_lock_for(duration timeout) const;
    /// For std::unique_lock.
    template <class Clock, class D>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<Clock, D> when) const {
        return try_lock_for(when - Clock::now());
    }
    /// *Exceptions*: std::logic_error when this process does not hold the lock.
    void unlock() const;

    /// Waits without blocking the thread. *Completion signature*: `void(std::exception_ptr)`, on
    /// the handler's associated executor. *Cancellation*: any type ends the wait with
    /// cancelled_error. *Exceptions*: as lock().
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_lock(Token&& token = Token()) const {
        return detail::async_start<void>([object = object_] { return start_lock(object); },
                                         std::forward<Token>(token));
    }

private:
    friend struct detail::handle_access;
    explicit mutex(std::shared_ptr<detail::mutex_object> object) noexcept
        : object_{std::move(object)} {}

    static detail::state_ptr<void> start_lock(std::shared_ptr<detail::mutex_object> object);

    std::shared_ptr<detail::mutex_object> object_;
};

/// Travels as a handle of the same lock.
template <>
struct codec<mutex> : detail::handle_codec<mutex> {};

} // namespace coproc
