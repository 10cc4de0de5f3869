// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/cpus.hpp>
#include <coproc/worker_affinity.hpp>

#include <cstddef>
#include <vector>

namespace coproc::detail {

/// Which CPUs each worker of a pool is bound to: decided once, by the worker's index, so whoever
/// takes a worker's place gets its CPUs.
class placement {
public:
    /// Binds nobody.
    placement() = default;
    placement(worker_affinity how, std::vector<cpu> cpus, unsigned workers);

    [[nodiscard]] bool binds() const noexcept { return !sets_.empty(); }
    /// Of a pool that binds.
    [[nodiscard]] const cpu_set& cpus_of(unsigned worker) const { return sets_[set_of_[worker]]; }
    /// How many CPUs the worker has to itself if those that share its CPUs take as many; at
    /// least 1.
    [[nodiscard]] unsigned share_of(unsigned worker) const;

private:
    void one_each(std::vector<cpu> cpus, unsigned workers);
    void by_node(const std::vector<cpu>& cpus, unsigned workers);

    std::vector<cpu_set> sets_;
    std::vector<std::size_t> set_of_; // by worker
};

/// For a pool that the calling thread makes; looks at the machine if that is needed.
[[nodiscard]] placement place_workers(worker_affinity how, unsigned workers);

} // namespace coproc::detail
