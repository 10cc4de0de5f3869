// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/async_now.hpp>
#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/event.hpp>
#include <coproc/duration.hpp>

#include <utility>

namespace coproc::dummy {

/// coproc::event_proxy among the threads of one program: its event. *Exceptions*: timeout_error
/// through within().
class event_proxy : public event, public detail::threads::limited<event_proxy> {
public:
    using event::event;

    void wait() const {
        if (waits_for_ever()) return event::wait();
        wait_at_most([this](duration time) { return event::wait_for(time); });
    }
    bool wait(duration timeout) const { return wait_for(timeout); }
    bool wait_for(duration timeout) const {
        return wait_at_most(timeout, [this](duration time) { return event::wait_for(time); });
    }

    /// The asynchronous forms of the others. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Exceptions*: as the
    /// blocking form. *Cancellation*: none, each is done when it is started.
    template <detail::token_for<void> Token = asio::deferred_t>
    auto async_set(Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this] { self.set(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = asio::deferred_t>
    auto async_clear(Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this] { self.clear(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = asio::deferred_t>
    auto async_is_set(Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this] { return self.is_set(); },
                                                std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
