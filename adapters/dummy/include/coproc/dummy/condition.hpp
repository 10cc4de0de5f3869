// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/detail/held_guard.hpp>
#include <coproc/detail/predicate_wait.hpp>
#include <coproc/dummy/detail/waiting.hpp>
#include <coproc/dummy/mutex.hpp>
#include <coproc/dummy/recursive_mutex.hpp>

#include <chrono>
#include <concepts>
#include <memory>
#include <mutex>
#include <utility>

namespace coproc::detail::threads {

class condition_core;

[[noreturn]] void lock_not_held();

/// The lock that is let go of while its holder waits on a condition. Throws std::logic_error if it
/// is not held.
class held_lock {
public:
    explicit held_lock(const dummy::mutex& lock);
    explicit held_lock(const dummy::recursive_mutex& lock);
    template <class Mutex>
    explicit held_lock(const std::unique_lock<Mutex>& lock) : held_lock{inside(lock)} {}
    template <class Mutex>
    explicit held_lock(std::unique_lock<Mutex>& lock) : held_lock{inside(lock)} {
        guard_ = held_guard{lock};
    }

private:
    template <class Mutex>
    static const Mutex& inside(const std::unique_lock<Mutex>& lock) {
        if (!lock.owns_lock()) lock_not_held();
        return *lock.mutex();
    }

    friend class condition_core;
    std::shared_ptr<mutex_core> mutex_;
    std::shared_ptr<recursive_core> recursive_;
    held_guard guard_;
};

template <class Lock>
inline constexpr bool recursive_lock =
    std::same_as<std::remove_const_t<Lock>, dummy::recursive_mutex>;
template <class Mutex>
inline constexpr bool recursive_lock<std::unique_lock<Mutex>> = recursive_lock<Mutex>;

/// A mutex or recursive_mutex of this backend, or a std::unique_lock of one.
template <class Lock>
concept condition_lock = std::constructible_from<held_lock, const Lock&>;

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::condition among the threads and coroutines of one program. A handle, whose copies are
/// one condition.
///
/// A lock is what a wait lets go of and has again when it ends, however it ends: a mutex, a
/// recursive_mutex (of which all levels are let go), or a std::unique_lock of one. Those who wait
/// are notified in the order in which they came, and get the mutex in this order. A notification
/// goes to one who still waits: never to one whose time has run out or who was cancelled. There
/// are no wake-ups without one; still, wait with a predicate, since others may have been faster.
/// Thread safety: full.
///
/// *Exceptions*: std::logic_error when the lock is not held.
class condition {
public:
    /// A new condition.
    condition();
    /// The same condition. (There is no move: what is moved from stays usable.)
    condition(const condition&) noexcept = default;
    condition& operator=(const condition&) noexcept = default;
    ~condition() = default;

    /// Waits for a notification.
    template <detail::threads::condition_lock Lock>
    void wait(Lock& lock) const {
        wait_until(detail::threads::held_lock{lock}, {});
    }
    /// Waits until `done()`, which is called with the lock held, at first and after notifications.
    template <detail::threads::condition_lock Lock, std::predicate Predicate>
    void wait(Lock& lock, Predicate done) const {
        while (!done())
            wait(lock);
    }
    /// False when there was no notification in time.
    template <detail::threads::condition_lock Lock>
    bool wait_for(Lock& lock, duration timeout) const {
        return wait_until(detail::threads::held_lock{lock}, detail::deadline_after(timeout));
    }
    /// What `done()` says in the end: false when the time was up.
    template <detail::threads::condition_lock Lock, std::predicate Predicate>
    bool wait_for(Lock& lock, duration timeout, Predicate done) const {
        const auto until = detail::deadline_after(timeout);
        while (!done())
            if (!wait_until(detail::threads::held_lock{lock}, until)) return done();
        return true;
    }
    /// wait_for under the name that a timed wait has in the other nouns.
    template <detail::threads::condition_lock Lock>
    bool wait(Lock& lock, duration timeout) const {
        return wait_for(lock, timeout);
    }
    /// The same.
    template <detail::threads::condition_lock Lock, std::predicate Predicate>
    bool wait(Lock& lock, duration timeout, Predicate done) const {
        return wait_for(lock, timeout, std::move(done));
    }
    /// Waits for a notification without blocking a thread. The lock must be held when the operation
    /// starts, must outlive it, and is held when it completes, also with an error. *Completion
    /// signature*: `void(std::exception_ptr)`. *Cancellation*: of any type, until the handler runs:
    /// it completes with cancelled_error, once it has the lock again; a notification that it had
    /// goes to the next one.
    template <detail::threads::condition_lock Lock,
              asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
        requires(!detail::threads::recursive_lock<Lock>)
    auto async_wait(Lock& lock, Token&& token = Token()) const {
        return detail::async_start<void>(
            [c = *this, &lock] { return c.start_wait(detail::threads::held_lock{lock}); },
            std::forward<Token>(token));
    }
    /// Waits until `done()`, which is called with the lock held: at first where the operation is
    /// started, and after notifications where the handler will run. What it throws completes the
    /// operation. Otherwise as the form without a predicate.
    template <detail::threads::condition_lock Lock, detail::wait_predicate Predicate,
              asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
        requires(!detail::threads::recursive_lock<Lock>)
    auto async_wait(Lock& lock, Predicate&& done, Token&& token = Token()) const {
        return detail::async_wait_until(
            [c = *this, &lock] { return c.start_wait(detail::threads::held_lock{lock}); },
            std::forward<Predicate>(done), std::forward<Token>(token));
    }

    /// Wakes the one who has waited longest.
    void notify_one() const { notify(1); }
    /// Wakes all who wait.
    void notify_all() const;
    /// Wakes so many, or all if they are fewer. *Exceptions*: std::invalid_argument if negative.
    template <detail::count N>
    void notify_n(N n) const {
        wake(detail::count_of(n, "how many a condition notifies"));
    }
    /// The same under Python's name.
    template <detail::count N = int>
    void notify(N n = 1) const {
        notify_n(n);
    }

private:
    bool wait_until(const detail::threads::held_lock& lock,
                    const detail::threads::deadline& until) const;
    [[nodiscard]] detail::state_ptr<void> start_wait(const detail::threads::held_lock& lock) const;
    void wake(std::size_t n) const;

    std::shared_ptr<detail::threads::condition_core> core_;
};

} // namespace coproc::dummy
