// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>

namespace coproc::detail::os {

/// Blocks all signals of the calling thread; restores the former mask.
class signal_blocker {
public:
    signal_blocker() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &former_);
    }
    signal_blocker(const signal_blocker&) = delete;
    signal_blocker& operator=(const signal_blocker&) = delete;
    ~signal_blocker() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }

private:
    sigset_t former_{};
};

/// Default handlers for every signal; async-signal-safe.
void reset_signal_handlers() noexcept;
void unblock_all_signals() noexcept;

/// Whether a sanitizer is linked in, which wants to report crashes itself.
bool sanitizer_present() noexcept;

} // namespace coproc::detail::os
