// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/async_now.hpp>
#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/semaphore.hpp>
#include <coproc/duration.hpp>

#include <utility>

namespace coproc::dummy {

/// coproc::semaphore_proxy among the threads of one program: its semaphore. *Exceptions*: as those
/// of the semaphore; timeout_error through within().
class semaphore_proxy : public semaphore, public detail::threads::limited<semaphore_proxy> {
public:
    using semaphore::semaphore;
    /// For the manager.
    explicit semaphore_proxy(const semaphore& of) : semaphore{of} {}

    void acquire() const {
        if (waits_for_ever()) return semaphore::acquire();
        wait_at_most([this](duration time) { return semaphore::try_acquire_for(time); });
    }
    [[nodiscard]] bool try_acquire_for(duration timeout) const {
        return wait_at_most(timeout,
                            [this](duration time) { return semaphore::try_acquire_for(time); });
    }

    /// The asynchronous forms of the others. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Exceptions*: as the
    /// blocking form. *Cancellation*: none, each is done when it is started.
    template <detail::token_for<void> Token = asio::deferred_t>
    auto async_release(std::size_t permits, Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this, permits] { self.release(permits); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = asio::deferred_t>
    auto async_release(Token&& token = Token()) const {
        return async_release(1, std::forward<Token>(token));
    }
    template <detail::token_for<std::size_t> Token = asio::deferred_t>
    auto async_value(Token&& token = Token()) const {
        return detail::threads::async_now<std::size_t>([self = *this] { return self.value(); },
                                                       std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
