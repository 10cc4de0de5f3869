// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <sys/types.h>

namespace coproc::detail::os {

/// How many CPUs this process may really use: the affinity mask, capped by the quota of its cgroup
/// (v1 or v2), rounded up; at least 1.
unsigned cpu_count();

/// Resident memory in bytes; 0 when the process is gone. pid 0: the calling process.
std::size_t resident_bytes(pid_t pid = 0) noexcept;

/// How many bytes more this process could use without making the system kill somebody; a guess, of
/// the kernel's and of the limit of the cgroup (v2).
std::uint64_t available_memory();

} // namespace coproc::detail::os
