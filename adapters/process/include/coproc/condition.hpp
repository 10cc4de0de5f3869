// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/detail/handle.hpp>
#include <coproc/detail/held_guard.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/detail/predicate_wait.hpp>
#include <coproc/duration.hpp>
#include <coproc/mutex.hpp>
#include <coproc/recursive_mutex.hpp>

#include <boost/asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

namespace detail {

class condition_object;

[[noreturn]] void lock_not_held();

/// The lock that is let go of while its holder waits on a condition. Throws std::logic_error if it
/// is not held.
class held_lock {
public:
    explicit held_lock(const mutex& lock);
    explicit held_lock(const recursive_mutex& lock);
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

    friend class condition_object;
    friend class condition_wait;
    std::shared_ptr<mutex_object> mutex_;
    std::shared_ptr<recursive_mutex_object> recursive_;
    held_guard guard_;
};

template <class Lock>
inline constexpr bool recursive_lock = std::same_as<std::remove_const_t<Lock>, recursive_mutex>;
template <class Mutex>
inline constexpr bool recursive_lock<std::unique_lock<Mutex>> = recursive_lock<Mutex>;

/// A mutex or recursive_mutex between processes, or a std::unique_lock of one.
template <class Lock>
concept condition_lock = std::constructible_from<held_lock, const Lock&>;

} // namespace detail

/// Waiting for a change of what a lock protects, between processes, their threads and their
/// coroutines. A handle: copies refer to the same condition.
///
///     std::unique_lock held{m};
///     c.wait(held, [&] { return ready[0] != 0; });
///
/// A lock is what a wait lets go of and has again when it ends, however it ends: a mutex, a
/// recursive_mutex (of which all levels are let go), or a std::unique_lock of one. (Only with
/// owner_died_error it does not have it; a std::unique_lock has been released then.) Those who wait
/// are notified in the order in which they came. A notification goes to one who still waits: one
/// whose process dies, or who is cancelled, before it has the lock again passes it on. Wait with a
/// predicate, since others may have been faster. At most 1024 can wait at a time. Thread safe.
///
/// *Exceptions*: std::logic_error when the lock is not held; std::system_error when too many wait;
/// owner_died_error, as mutex::lock().
class condition {
public:
    /// A new condition. *Exceptions*: std::system_error when there is no memory or descriptor.
    condition();
    /// The same condition. (There is no move: what is moved from stays usable.)
    condition(const condition&) noexcept = default;
    condition& operator=(const condition&) noexcept = default;
    ~condition() = default;

    /// Waits for a notification.
    template <detail::condition_lock Lock>
    void wait(Lock& lock) const {
        wait_until(detail::held_lock{lock}, {});
    }
    /// Waits until `done()`, which is called with the lock held, at first and after notifications.
    template <detail::condition_lock Lock, std::predicate Predicate>
    void wait(Lock& lock, Predicate done) const {
        while (!done())
            wait(lock);
    }
    /// False when there was no notification in time.
    template <detail::condition_lock Lock>
    bool wait_for(Lock& lock, duration timeout) const {
        return wait_until(detail::held_lock{lock}, detail::deadline_after(timeout));
    }
    /// What `done()` says in the end: false when the time was up.
    template <detail::condition_lock Lock, std::predicate Predicate>
    bool wait_for(Lock& lock, duration timeout, Predicate done) const {
        const auto until = detail::deadline_after(timeout);
        while (!done())
            if (!wait_until(detail::held_lock{lock}, until)) return done();
        return true;
    }
    /// wait_for under the name that a timed wait has in the other nouns.
    template <detail::condition_lock Lock>
    bool wait(Lock& lock, duration timeout) const {
        return wait_for(lock, timeout);
    }
    /// The same.
    template <detail::condition_lock Lock, std::predicate Predicate>
    bool wait(Lock& lock, duration timeout, Predicate done) const {
        return wait_for(lock, timeout, std::move(done));
    }
    /// Waits for a notification without blocking a thread. The lock must be held when the operation
    /// starts, must outlive it, and is held when it completes, also with an error (other than
    /// owner_died_error). *Completion signature*: `void(std::exception_ptr)`. *Cancellation*: of
    /// any type, until the handler runs: it completes with cancelled_error, once it has the lock
    /// again; a notification that it had goes to the next one.
    template <detail::condition_lock Lock,
              asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
        requires(!detail::recursive_lock<Lock>)
    auto async_wait(Lock& lock, Token&& token = Token()) const {
        return detail::async_start<void>(
            [c = *this, &lock] { return c.start_wait(detail::held_lock{lock}); },
            std::forward<Token>(token));
    }
    /// Waits until `done()`, which is called with the lock held: at first where the operation is
    /// started, and after notifications where the handler will run. What it throws completes the
    /// operation. Otherwise as the form without a predicate.
    template <detail::condition_lock Lock, detail::wait_predicate Predicate,
              asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
        requires(!detail::recursive_lock<Lock>)
    auto async_wait(Lock& lock, Predicate&& done, Token&& token = Token()) const {
        return detail::async_wait_until(
            [c = *this, &lock] { return c.start_wait(detail::held_lock{lock}); },
            std::forward<Predicate>(done), std::forward<Token>(token));
    }

    /// Wakes the one who has waited longest.
    void notify_one() const { wake(1); }
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
    friend struct detail::handle_access;
    explicit condition(std::shared_ptr<detail::condition_object> object) noexcept
        : object_{std::move(object)} {}

    bool wait_until(const detail::held_lock& lock,
                    const std::optional<detail::steady::time_point>& until) const;
    [[nodiscard]] detail::state_ptr<void> start_wait(const detail::held_lock& lock) const;
    void wake(std::size_t n) const;

    std::shared_ptr<detail::condition_object> object_;
};

/// Travels as a handle of the same condition.
template <>
struct codec<condition> : detail::handle_codec<condition> {};

} // namespace coproc
