// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/process_handle.hpp>
#include <coproc/process_info.hpp>

#include <optional>
#include <vector>

namespace coproc::dummy {

/// The dummy::process whose thread calls; in a dummy::pool's worker that worker; elsewhere the
/// program: "main". Thread safe.
[[nodiscard]] process_info current_process();

/// Who started the dummy::process or made the dummy::pool whose thread calls; empty elsewhere.
/// Thread safe.
[[nodiscard]] std::optional<parent_info> parent_process();

/// The threads that the current process has started with dummy::process and that run now, in the
/// order in which they were started. Thread safe.
[[nodiscard]] std::vector<process_handle> active_children();

} // namespace coproc::dummy
