// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/async_now.hpp>
#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/mutex.hpp>
#include <coproc/duration.hpp>

#include <chrono>
#include <utility>

namespace coproc::dummy {

/// coproc::mutex_proxy among the threads of one program: its mutex. *Exceptions*: as those of the
/// mutex; timeout_error through within().
class mutex_proxy : public mutex, public detail::threads::limited<mutex_proxy> {
public:
    using mutex::mutex;

    void lock() const {
        if (waits_for_ever()) return mutex::lock();
        wait_at_most([this](duration time) { return mutex::try_lock_for(time); });
    }
    [[nodiscard]] bool try_lock_for(duration timeout) const {
        return wait_at_most(timeout, [this](duration time) { return mutex::try_lock_for(time); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool
    try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) const {
        return try_lock_for(deadline - Clock::now());
    }

    /// *Completion signature*: void(std::exception_ptr). *Exceptions*: as unlock(). *Cancellation*:
    /// none, it is done when it is started.
    template <detail::token_for<void> Token = asio::deferred_t>
    auto async_unlock(Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this] { self.unlock(); },
                                                std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
