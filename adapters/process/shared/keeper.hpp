// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Lets the kernel tell of this process's death, in the shared memory itself. A thread that does
// nothing but live as long as the process holds, by way of the kernel's list of robust futexes, one
// word in each object that the process takes part in; however the process ends, the kernel marks
// these words. (man 2 get_robust_list; Documentation/locking/robust-futex-ABI in the kernel.)

#include <shared/layout.hpp>

namespace coproc::detail::shared {

/// Whether a process took part here and died. (Once seen, what it had stored is seen, too.)
inline bool is_dead(const party& p) noexcept {
    return (p.presence.load(std::memory_order_acquire) & 0x4000'0000u) != 0; // FUTEX_OWNER_DIED
}
inline bool is_present(const party& p) noexcept {
    return p.presence.load(std::memory_order_acquire) != 0;
}

/// Makes the calling process the party; false if somebody is it already. Throws std::system_error
/// when the first call cannot start the thread. Thread safe.
bool claim_presence(party& p);

/// The opposite; of a party that this process has claimed.
void release_presence(party& p) noexcept;

} // namespace coproc::detail::shared
