// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/start_method.hpp>

#include <optional>
#include <string>

namespace coproc {

/// How a process is made. Every field has a default; the order of the fields stays, so designated
/// initialisers work: `process p{{.name = "loader", .daemon = true}, load, path};`
struct process_options {
    /// Shows in ps, as the thread's name and in what the library prints; "": "process-1",
    /// "process-2", ..., and "process-1:2" for the second one that process-1 has made.
    std::string name = {};
    /// A daemon is not waited for: it runs until it returns or the process that started it ends.
    bool daemon = false;
    /// How the process comes to be; empty: what `set_start_method` chose, else spawn. Ignored by
    /// threads.
    std::optional<start_method> start = {};
};

} // namespace coproc
