// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/process_handle.hpp>
#include <coproc/process_info.hpp>

#include <optional>
#include <vector>

namespace coproc {

/// The calling process: "main" in the program itself; in a process the name it was started under;
/// in a pool's worker the worker's, which counts as a daemon. Thread safe.
[[nodiscard]] process_info current_process();

/// The process that started this one; empty in the program itself. Thread safe.
[[nodiscard]] std::optional<parent_info> parent_process();

/// The processes that this one has started and that run now, in the order in which they were
/// started; workers of pools are not among them. What has ended is collected without being asked.
/// Thread safe.
[[nodiscard]] std::vector<process_handle> active_children();

} // namespace coproc
