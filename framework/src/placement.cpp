// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/placement.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

namespace coproc::detail {

placement::placement(worker_affinity how, std::vector<cpu> cpus, unsigned workers) {
    if (cpus.empty() || workers == 0) return;
    switch (how) {
    case worker_affinity::none:
        break;
    case worker_affinity::cpu:
        one_each(std::move(cpus), workers);
        break;
    case worker_affinity::node:
        by_node(cpus, workers);
        break;
    }
}

void placement::one_each(std::vector<cpu> cpus, unsigned workers) {
    std::ranges::sort(cpus, {}, [](const cpu& c) { return std::tuple{c.node, c.core, c.number}; });
    // The first of every core, then the second of every core, and so on.
    std::vector<std::tuple<unsigned, std::size_t, unsigned>>
        order; // place in its core, ..., number
    unsigned place = 0;
    for (std::size_t i = 0; i != cpus.size(); ++i) {
        place = i != 0 && cpus[i].core == cpus[i - 1].core ? place + 1 : 0;
        order.emplace_back(place, i, cpus[i].number);
    }
    std::ranges::sort(order);

    sets_.resize(std::min<std::size_t>(workers, order.size()));
    for (std::size_t i = 0; i != sets_.size(); ++i)
        sets_[i].add(std::get<2>(order[i]));
    for (unsigned worker = 0; worker != workers; ++worker)
        set_of_.push_back(worker % sets_.size());
}

void placement::by_node(const std::vector<cpu>& cpus, unsigned workers) {
    std::map<unsigned, cpu_set> nodes;
    for (const cpu& c : cpus)
        nodes[c.node].add(c.number);
    struct load {
        std::uint64_t cpus;
        std::uint64_t workers = 0;
    };
    std::vector<load> loads;
    for (const auto& [number, set] : nodes) {
        sets_.push_back(set);
        loads.push_back({set.count()});
    }
    // The next worker goes where it will have most CPUs; among equals to the first.
    for (unsigned worker = 0; worker != workers; ++worker) {
        const auto best = std::ranges::max_element(loads, [](const load& a, const load& b) {
            return a.cpus * (b.workers + 1) < b.cpus * (a.workers + 1);
        });
        ++best->workers;
        set_of_.push_back(static_cast<std::size_t>(best - loads.begin()));
    }
}

unsigned placement::share_of(unsigned worker) const {
    const auto sharers = static_cast<unsigned>(std::ranges::count(set_of_, set_of_[worker]));
    return std::max(1U, cpus_of(worker).count() / sharers);
}

placement place_workers(worker_affinity how, unsigned workers) {
    if (how == worker_affinity::none) return {};
    return {how, usable_cpus(), workers};
}

} // namespace coproc::detail
