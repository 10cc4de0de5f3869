// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace coproc {

/// How many CPUs this process may really use: the affinity mask, capped by the quota of its cgroup,
/// rounded up; at least 1. Read anew at each call. Thread safe.
[[nodiscard]] unsigned cpu_count();

} // namespace coproc
