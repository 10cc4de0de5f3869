// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/semaphore.hpp>
#include <coproc/duration.hpp>

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
};

} // namespace coproc::dummy
