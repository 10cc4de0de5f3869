// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/signals.hpp>

extern "C" {
void __asan_init() __attribute__((weak));
void __tsan_init() __attribute__((weak));
void __msan_init() __attribute__((weak));
void __hwasan_init() __attribute__((weak));
}

namespace coproc::detail::os {

void reset_signal_handlers() noexcept {
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        ::sigaction(signal, &standard, nullptr); // fails for the two that belong to the C library
    }
}

void unblock_all_signals() noexcept {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool sanitizer_present() noexcept {
    return __asan_init != nullptr || __tsan_init != nullptr || __msan_init != nullptr ||
           __hwasan_init != nullptr;
}

} // namespace coproc::detail::os
