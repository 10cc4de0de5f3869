// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Which worker gets which CPUs, on machines that are made up.

#include <coproc/detail/placement.hpp>

#include "catch.hpp"

#include <algorithm>

namespace {

using namespace coproc::detail;
using coproc::worker_affinity;
using numbers = std::vector<unsigned>;

/// As Linux numbers it: the first hardware threads of all cores, socket by socket, then the second.
std::vector<cpu> machine(unsigned sockets, unsigned cores_each, unsigned threads_each) {
    std::vector<cpu> cpus;
    const unsigned cores = sockets * cores_each;
    for (unsigned n = 0; n != cores * threads_each; ++n)
        cpus.push_back({n, n % cores, n % cores / cores_each});
    return cpus;
}

numbers list(const cpu_set& set) {
    numbers found;
    for (unsigned n = 0; n != cpu_set::most; ++n)
        if (set.contains(n)) found.push_back(n);
    return found;
}

/// The only CPU of each worker.
numbers one_each(const std::vector<cpu>& cpus, unsigned workers) {
    const placement p{worker_affinity::cpu, cpus, workers};
    numbers found;
    for (unsigned worker = 0; worker != workers; ++worker) {
        REQUIRE(p.cpus_of(worker).count() == 1);
        found.push_back(list(p.cpus_of(worker)).front());
    }
    return found;
}

} // namespace

TEST_CASE("placement: binds nobody unless asked") {
    CHECK_FALSE(placement{}.binds());
    CHECK_FALSE(placement{worker_affinity::none, machine(2, 4, 2), 4}.binds());
    CHECK_FALSE(place_workers(worker_affinity::none, 4).binds());
    for (const auto how : {worker_affinity::cpu, worker_affinity::node}) {
        CHECK_FALSE(placement{how, {}, 4}.binds()); // the system did not tell
        CHECK_FALSE(placement{how, machine(2, 4, 2), 0}.binds());
    }
}

TEST_CASE("placement: a CPU each, node by node, second hardware threads last") {
    const auto cpus = machine(2, 4, 2);
    CHECK(one_each(cpus, 3) == numbers{0, 1, 2});
    CHECK(one_each(cpus, 16) == numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
    auto shuffled = cpus;
    std::ranges::reverse(shuffled);
    CHECK(one_each(shuffled, 16) == one_each(cpus, 16));

    // Other machines number the threads of a core one after the other, or the nodes in turns.
    const std::vector<cpu> adjacent{{0, 0, 0}, {1, 0, 0}, {2, 2, 0}, {3, 2, 0}};
    CHECK(one_each(adjacent, 4) == numbers{0, 2, 1, 3});
    const std::vector<cpu> in_turns{{0, 0, 0}, {1, 1, 1}, {2, 2, 0}, {3, 3, 1}};
    CHECK(one_each(in_turns, 4) == numbers{0, 2, 1, 3});
}

TEST_CASE("placement: only CPUs that may be used, also of a core that is there in part") {
    // Of two sockets with four cores of two threads each: the second threads of the first socket,
    // and one whole core of the second.
    std::vector<cpu> cpus;
    for (const cpu& c : machine(2, 4, 2))
        if ((c.number >= 8 && c.number < 12) || c.core == 6) cpus.push_back(c);
    CHECK(one_each(cpus, 6) == numbers{8, 9, 10, 11, 6, 14});
}

TEST_CASE("placement: more workers than CPUs take turns") {
    CHECK(one_each(machine(1, 2, 1), 5) == numbers{0, 1, 0, 1, 0});
    CHECK(one_each({{7, 7, 1}}, 3) == numbers{7, 7, 7});
}

TEST_CASE("placement: by node") {
    const placement even{worker_affinity::node, machine(2, 4, 2), 5};
    const numbers first{0, 1, 2, 3, 8, 9, 10, 11};
    const numbers second{4, 5, 6, 7, 12, 13, 14, 15};
    for (unsigned worker = 0; worker != 5; ++worker)
        CHECK(list(even.cpus_of(worker)) == (worker % 2 == 0 ? first : second));

    // A node of which twice as many CPUs may be used gets twice as many workers.
    const placement uneven{worker_affinity::node, {{0, 0, 0}, {1, 1, 4}, {2, 2, 4}}, 6};
    int on_first = 0;
    for (unsigned worker = 0; worker != 6; ++worker)
        on_first += list(uneven.cpus_of(worker)) == numbers{0} ? 1 : 0;
    CHECK(on_first == 2);
    CHECK(list(uneven.cpus_of(0)) == numbers{1, 2});
}

TEST_CASE("placement: what is left for the threads of a worker") {
    const placement single{worker_affinity::cpu, machine(1, 4, 1), 2};
    CHECK(single.share_of(0) == 1);
    const placement crowded{worker_affinity::cpu, machine(1, 2, 1), 5};
    CHECK(crowded.share_of(4) == 1);
    const placement nodes{worker_affinity::node, machine(2, 4, 1), 3};
    CHECK(nodes.share_of(0) == 2); // beside worker 2
    CHECK(nodes.share_of(1) == 4);
}

TEST_CASE("placement: numbers beyond what a set holds are left out") {
    cpu_set set;
    CHECK(set.empty());
    set.add(cpu_set::most);
    CHECK(set.empty());
    CHECK_FALSE(set.contains(cpu_set::most));
    set.add(cpu_set::most - 1);
    set.add(63);
    set.add(64);
    CHECK(list(set) == numbers{63, 64, cpu_set::most - 1});
    CHECK(set.count() == 3);
}
