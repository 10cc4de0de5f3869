// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

#include <chrono>
#include <memory>

namespace coproc::detail::threads {
class recursive_core;
class held_lock;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::recursive_mutex among the threads of one program: a mutex that its owner may lock again,
/// and must unlock as often. A handle, whose copies are one lock.
///
/// The owner is a thread, so there is no asynchronous form: a coroutine may resume on another.
/// Thread safety: full.
class recursive_mutex {
public:
    /// A new mutex, unlocked.
    recursive_mutex();
    /// The same mutex. (There is no move: what is moved from stays usable.)
    recursive_mutex(const recursive_mutex&) noexcept = default;
    recursive_mutex& operator=(const recursive_mutex&) noexcept = default;
    ~recursive_mutex() = default;

    /// Waits until it is free or this thread's, and takes it.
    void lock() const;
    /// Takes it if it is free or this thread's now.
    [[nodiscard]] bool try_lock() const;
    /// False when it did not become free in time.
    [[nodiscard]] bool try_lock_for(duration timeout) const {
        return try_lock_until(detail::deadline_after(timeout));
    }
    /// False when it did not become free until then.
    [[nodiscard]] bool try_lock_until(std::chrono::steady_clock::time_point until) const;
    /// The same for any clock.
    template <class Clock, class D>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<Clock, D> when) const {
        return try_lock_for(when - Clock::now());
    }
    /// *Exceptions*: std::logic_error if this thread does not hold it.
    void unlock() const;

private:
    friend class detail::threads::held_lock;

    std::shared_ptr<detail::threads::recursive_core> core_;
};

} // namespace coproc::dummy
