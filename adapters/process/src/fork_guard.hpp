// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a fork, by the library or by the user, must know: the child of a fork has one thread and
// copies of descriptors that are not its business.

#include <sys/types.h>

namespace coproc::detail {

/// Runs in the child of every fork, single-threaded, when count_forks() counts it already.
/// Registered once, while no object depends on it yet.
void on_fork_in_child(void (*reset)() noexcept);

/// Runs in a worker that was started by fork, after that: what its parent had is none of its
/// business. Registered once.
void on_worker_fork(void (*reset)() noexcept);

/// Descriptors that a worker started by fork closes: those of its siblings.
void keep_private(int fd);
void no_longer_private(int fd) noexcept;

/// Forks; in the child the private descriptors are closed except for those listed, -1 ends the
/// list.
pid_t fork_without_private(const int* except);

} // namespace coproc::detail
