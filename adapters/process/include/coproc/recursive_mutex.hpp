// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/handle.hpp>
#include <coproc/duration.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace coproc {

namespace detail {
class recursive_mutex_object;
} // namespace detail

/// A lock between processes, and their threads, that its owner may lock again and must unlock as
/// often. A handle: copies refer to the same lock. For std::scoped_lock and std::unique_lock.
///
/// The owner is a thread, so there is no asynchronous form: a coroutine may resume on another. When
/// a process dies that holds the lock, the next one to lock gets owner_died_error, and does not
/// hold it; after that the lock works again. A thread that ends without unlocking leaves it locked.
/// Not fair. Thread safe.
class recursive_mutex {
public:
    /// A lock of its own. *Exceptions*: std::system_error when there is no memory or descriptor.
    recursive_mutex();
    /// The same lock. (There is no move: what is moved from stays usable.)
    recursive_mutex(const recursive_mutex&) noexcept = default;
    recursive_mutex& operator=(const recursive_mutex&) noexcept = default;
    ~recursive_mutex() = default;

    /// Waits until it is free or this thread's, and takes it. *Exceptions*: owner_died_error, and
    /// the lock is not held then; std::system_error when this thread holds it 65535 times already.
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
    /// *Exceptions*: std::logic_error when this thread does not hold the lock.
    void unlock() const;

private:
    friend struct detail::handle_access;
    explicit recursive_mutex(std::shared_ptr<detail::recursive_mutex_object> object) noexcept
        : object_{std::move(object)} {}

    std::shared_ptr<detail::recursive_mutex_object> object_;
};

/// Travels as a handle of the same lock.
template <>
struct codec<recursive_mutex> : detail::handle_codec<recursive_mutex> {};

} // namespace coproc
