// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <mutex>

namespace coproc::detail {

/// A mutex that is held for less time than it takes to put a thread to sleep and wake it up:
/// whoever finds it locked looks again for a moment before it sleeps.
class patient_mutex {
public:
    void lock() {
        for (int i = 0; i < tries; ++i) {
            if (mutex_.try_lock()) return;
            for (int k = 0; k < 8; ++k)
                pause();
        }
        mutex_.lock();
    }
    bool try_lock() noexcept { return mutex_.try_lock(); }
    void unlock() noexcept { mutex_.unlock(); }

    /// Tells the CPU that this is a spin loop.
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
        asm volatile("yield" ::: "memory");
#endif
    }

private:
    static constexpr int tries = 32; // some microseconds in all

    std::mutex mutex_;
};

} // namespace coproc::detail
