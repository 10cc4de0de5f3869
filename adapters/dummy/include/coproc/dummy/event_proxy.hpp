// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/event.hpp>
#include <coproc/duration.hpp>

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
};

} // namespace coproc::dummy
