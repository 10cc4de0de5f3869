// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

#include <algorithm>

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
///
/// It looks less and less often: each look takes the cache line from whoever is about to write
/// there, and what is found a little later is mostly more.
template <class Done>
bool spin_for(std::chrono::nanoseconds limit, Done&& done) {
    constexpr int most_pauses = 32;
    if (done()) return true;
    const auto end = steady::now() + limit;
    int pauses = 1;
    do {
        for (int i = 0; i < pauses; ++i)
            spin_pause();
        if (done()) return true;
        pauses = std::min(2 * pauses, most_pauses);
    } while (steady::now() < end);
    return done();
}

} // namespace coproc::detail
