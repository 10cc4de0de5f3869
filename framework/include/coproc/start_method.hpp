// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>

namespace coproc {

/// How worker processes come to be.
enum class start_method : std::uint8_t {
    /// A fresh start of the program: cheap however large the parent is, and nothing is inherited.
    /// The default.
    spawn,
    /// A single-threaded server, started once per program, forks the workers: faster than spawn
    /// from the second
    /// worker on. Nothing of the parent is inherited here either.
    forkserver,
    /// A copy of the calling process: what stands in memory is there in the worker. Only the
    /// calling thread exists
    /// in the copy; locks that other threads held stay locked, so this is for programs that know
    /// their threads.
    fork,
};

/// The method of pools that name none, for those made from now on. Thread safe.
void set_start_method(start_method method) noexcept;
/// What set_start_method chose, else spawn. Thread safe.
[[nodiscard]] start_method get_start_method() noexcept;

/// "spawn", "forkserver", "fork".
[[nodiscard]] std::string_view to_string(start_method method) noexcept;

} // namespace coproc
