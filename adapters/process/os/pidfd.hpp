// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A process by descriptor: readable once it has ended, and never another process of the same
// number.

#include <os/unique_fd.hpp>

#include <chrono>
#include <optional>
#include <sys/types.h>

namespace coproc::detail::os {

unique_fd open_pidfd(pid_t pid);

/// Whether the process has ended (also when it has not been reaped yet). To be asked when a reactor
/// says so: Asio hands the record of a closed descriptor on to the next one, also while an event of
/// the former is queued, and completes a wait of the latter for it. (A pidfd has a second event,
/// when its process has been reaped, since Linux 6.9 or so: when its successor has been started.)
bool has_ended(int pidfd) noexcept;
bool wait_until_ended(int pidfd, std::optional<std::chrono::nanoseconds> timeout = {}) noexcept;

/// How a child ended, as Python tells it: its exit code, or minus the signal's number.
struct reaped {
    bool ours = true; ///< false: somebody else reaped it (SIGCHLD ignored, a stray wait()), so the
                      ///< code is not known
    int exit_code = 0;
};

/// Takes a child's exit code if it has ended; never waits. `keep`: leaves the zombie (and with it
/// the pid) in place.
std::optional<reaped> try_reap(int pidfd, bool keep = false) noexcept;

/// Waits for a child that is about to end.
void reap_now(pid_t pid) noexcept;

/// False: the process is gone.
bool send_signal(int pidfd, int signal) noexcept;
/// To every process of the group that `pidfd` leads, whose number is `pid`. Does nothing when the
/// leader is gone.
void send_signal_to_group(int pidfd, pid_t pid, int signal) noexcept;

/// The number of the process; 0 if that cannot be told (it is of another pid namespace), -1 if it
/// is gone.
pid_t pid_of(int pidfd) noexcept;

/// A descriptor of the calling process itself; it follows a fork.
int own_pidfd();

} // namespace coproc::detail::os
