// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

namespace coproc::detail {

/// Tells the CPU that this is a spin loop.
inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    asm volatile("yield" ::: "memory");
#endif
}

/// Spins until `done()` or for about so long; the last result of `done()`. Going to sleep and being
/// woken costs tens of microseconds, so this much is well spent when something is about to come.
template <class Done>
bool spin_for(std::chrono::nanoseconds limit, Done&& done) {
    if (done()) return true;
    const auto end = steady::now() + limit;
    do {
        for (int i = 0; i < 32; ++i) {
            spin_pause();
            if (done()) return true;
        }
    } while (steady::now() < end);
    return done();
}

} // namespace coproc::detail
