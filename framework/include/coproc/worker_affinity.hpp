// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace coproc {

/// Which CPUs the workers of a pool are bound to, of those that the thread which makes the pool may
/// use.
enum class worker_affinity : std::uint8_t {
    /// None: the system puts them where it likes. The default.
    none,
    /// Each worker to one CPU. They go node after node, so that neighbours share caches; a core's
    /// second hardware thread is used when every core has a worker, and a CPU has two workers when
    /// each has one.
    cpu,
    /// Each worker to all CPUs of one NUMA node, so that its memory stays near. They are spread
    /// over the nodes, each getting workers by its number of CPUs.
    node,
};

} // namespace coproc
