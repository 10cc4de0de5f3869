// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

namespace coproc {

/// What one call may ask for: `pool.with({.timeout = 2s}).apply_async(f, x)`.
struct task_options {
    /// Counts from when the task (each item of a map) starts to run. A process is stopped for real
    /// and its process group with it; a thread is asked through `this_task::stop_token()`. The
    /// result fails with timeout_error.
    std::optional<duration> timeout = {};
    /// How long the task may wait to start; past it the result fails with timeout_error (kind
    /// queued). Counts from the submission, for each item of a stream from when it was read.
    std::optional<duration> queue_timeout = {};
    /// Further attempts after the *worker* was lost; an exception is an answer and is not retried.
    unsigned retries = 0;
    /// Higher first; equal ones in the order of submission.
    int priority = 0;
    /// How many items of a map go to a worker at a time; 0: adaptive.
    std::size_t chunk_size = 0;
    /// Copied at submit; shows in errors, progress, logs and `this_task::label()`.
    std::string_view label = {};
};

// It may stand inside a co_await expression, where g++ 12 destroys non-trivial aggregates twice.
static_assert(std::is_trivially_destructible_v<task_options>);

} // namespace coproc
