// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>
#include <coproc/error.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace coproc {

/// A mutex that lives in a manager's server, also for programs on other machines: Python's managed
/// Lock. A handle, as dict_proxy is; usable with std::scoped_lock and std::unique_lock.
///
/// The owner is a program (its connection to the server), not a thread: a coroutine may unlock on
/// another thread than it locked on. If the owner dies, or loses its connection, the next one to
/// lock gets owner_died_error and does not hold the lock; after that it works again. Those who wait
/// are served in their order. Thread safe. *Exceptions*: end_of_stream_error when the server is
/// gone; timeout_error through within().
class mutex_proxy : public detail::proxy_base<mutex_proxy> {
    using op = detail::manager_op;

public:
    /// Empty: refers to no mutex.
    mutex_proxy() noexcept = default;

    /// Waits. *Exceptions*: owner_died_error, see above.
    void lock() const { get_(op::mutex_lock); }
    [[nodiscard]] bool try_lock() const { return try_lock_for(duration{}); }
    /// False: the time passed first.
    [[nodiscard]] bool try_lock_for(duration timeout) const;
    template <class Clock, class Duration>
    [[nodiscard]] bool
    try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) const {
        return try_lock_for(deadline - Clock::now());
    }
    /// std::logic_error if this program does not hold the lock. If the
    /// connection is lost the server has unlocked already, and this does not throw; nor does it
    /// through within(): the server unlocks when it gets to it.
    void unlock() const;

    /// *Completion signature*: void(std::exception_ptr). *Cancellation* of any type, until the
    /// handler runs: it completes with cancelled_error, and the lock is not held.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_lock(Token&& token = Token()) const {
        return start_<void, op::mutex_lock>(std::forward<Token>(token));
    }

    /// *Completion signature*: void(std::exception_ptr). *Exceptions*: as unlock(), and
    /// end_of_stream_error when the server is gone. *Cancellation* of any type, until the reply has
    /// come: cancelled_error, at once; it will be unlocked all the same.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_unlock(Token&& token = Token()) const {
        return start_<void, op::mutex_unlock>(std::forward<Token>(token));
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "mutex"; }
};

template <>
struct codec<mutex_proxy> : detail::proxy_codec<mutex_proxy> {};

} // namespace coproc
