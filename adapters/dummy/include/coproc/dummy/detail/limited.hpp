// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/patient.hpp>
#include <coproc/dummy/detail/waiting.hpp>
#include <coproc/duration.hpp>

#include <chrono>

namespace coproc::detail::threads {

/// timeout_error: what a proxy waits for has not come within the time given.
[[noreturn]] void throw_gave_up();

/// Base of the proxies of nouns that are waited at.
template <class Derived>
class limited : public patient<Derived> {
protected:
    /// When a wait without a timeout of its own ends.
    [[nodiscard]] deadline limit() const {
        if (this->waits_for_ever()) return {};
        return deadline_after(this->patience());
    }
    /// `wait(time)` is true if what was waited for has come within that time. Its own timeout
    /// passes: false. The proxy's does: timeout_error.
    template <class Wait>
    bool wait_at_most(std::chrono::nanoseconds timeout, Wait&& wait) const {
        if (timeout <= this->patience()) return wait(duration{timeout});
        if (!wait(duration{this->patience()})) throw_gave_up();
        return true;
    }
    template <class Wait>
    void wait_at_most(Wait&& wait) const {
        if (!wait(duration{this->patience()})) throw_gave_up();
    }
};

} // namespace coproc::detail::threads
