// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <boost/asio/deferred.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace coproc {
namespace asio = boost::asio;
} // namespace coproc

namespace coproc::detail::threads {
class mutex_core;
class held_lock;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::mutex among the threads and coroutines of one program: a handle whose copies are one
/// lock, for std::scoped_lock and std::unique_lock, and awaitable. It is given to those who wait in
/// the order in which they came.
///
/// The owner is the program: a coroutine may unlock it on another thread than it was locked on, and
/// locking it twice on one thread waits for ever (recursive_mutex does not). So owner_died_error
/// does not occur. Thread safety: full.
class mutex {
public:
    /// A new mutex, unlocked.
    mutex();
    /// The same mutex. (There is no move: what is moved from stays usable.)
    mutex(const mutex&) noexcept = default;
    mutex& operator=(const mutex&) noexcept = default;
    ~mutex() = default;

    /// Waits until it is free, and takes it.
    void lock() const;
    /// Takes it if it is free now.
    [[nodiscard]] bool try_lock() const noexcept;
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
    /// *Exceptions*: std::logic_error if it is not held.
    void unlock() const;

    /// Takes it without blocking a thread. *Completion signature*: `void(std::exception_ptr)`;
    /// after success it is held. *Cancellation*: of any type, until the handler runs; it then
    /// completes with cancelled_error, and the mutex is not held.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_lock(Token&& token = Token()) const {
        return detail::async_start<void>([m = *this] { return m.start_lock(); },
                                         std::forward<Token>(token));
    }

private:
    friend class detail::threads::held_lock;
    [[nodiscard]] detail::state_ptr<void> start_lock() const;

    std::shared_ptr<detail::threads::mutex_core> core_;
};

} // namespace coproc::dummy
