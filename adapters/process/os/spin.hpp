// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <os/clock.hpp>

#include <cstdint>

namespace coproc::detail::os {

/// Tells the CPU that this is a spin loop.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    asm volatile("yield" ::: "memory");
#endif
}

/// What lies there is going to be read.
inline void prefetch(const void* memory) noexcept { __builtin_prefetch(memory); }

/// Spins until `done()` or for some tens of looks; the last result of `done()`.
template <class Done>
bool spin_briefly(Done&& done) {
    for (int i = 0; i != 32; ++i) {
        if (done()) return true;
        pause();
    }
    return done();
}

/// Spins until `done()` or for about `ns` nanoseconds; the last result of `done()`.
template <class Done>
bool spin_for(std::uint64_t ns, Done&& done) {
    if (done()) return true;
    if (ns == 0) return false;
    const std::uint64_t end = monotonic_ns() + ns;
    for (;;) {
        if (spin_briefly(done)) return true;
        if (monotonic_ns() >= end) return done();
    }
}

} // namespace coproc::detail::os
