// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace coproc {

/// A snapshot of a pool. Tasks count calls and items of maps, not chunks.
struct pool_stats {
    std::size_t workers = 0;     ///< ready to run, or running
    std::size_t idle = 0;        ///< of these, without a task
    std::uint64_t queued = 0;    ///< waiting to start
    std::uint64_t running = 0;   ///< handed to a worker
    std::uint64_t completed = 0; ///< returned a value
    std::uint64_t failed = 0;    ///< ended with an exception or a lost worker
    std::uint64_t retried = 0;   ///< attempts made again after a lost worker
    std::uint64_t cancelled = 0; ///< dropped or stopped
    std::uint64_t timed_out =
        0; ///< stopped at their timeout, or waited longer than their queue_timeout
    std::uint64_t workers_started = 0; ///< since the pool was made
    std::uint64_t workers_lost =
        0;                  ///< ended without being asked to, or stopped together with their task
    std::size_t spares = 0; ///< started ahead, beyond `workers`: see pool_options::spare_workers
};

} // namespace coproc
