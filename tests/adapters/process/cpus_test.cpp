// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/cpus.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <sched.h>

using namespace coproc::detail;
using numbers = std::vector<unsigned>;

TEST_CASE("cpus: the system's lists") {
    CHECK(os::parse_cpu_list("") == numbers{});
    CHECK(os::parse_cpu_list("\n") == numbers{});
    CHECK(os::parse_cpu_list("0") == numbers{0});
    CHECK(os::parse_cpu_list("0-3,8,10-11\n") == numbers{0, 1, 2, 3, 8, 10, 11});
    CHECK(os::parse_cpu_list("1,") == numbers{1});
    CHECK(os::parse_cpu_list("1,2-") == numbers{1});
    CHECK(os::parse_cpu_list("1,3-2,4") == numbers{1, 4});
    CHECK(os::parse_cpu_list("1,x") == numbers{1});
    CHECK(os::parse_cpu_list("1,5-4000000000") == numbers{1});
    CHECK(os::parse_cpu_list("1,99999999999999999999") == numbers{1});
}

TEST_CASE("cpus: those that this thread may use") {
    cpu_set_t set;
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    const auto cpus = usable_cpus();
    CHECK(std::ssize(cpus) == CPU_COUNT(&set));
    for (const cpu& c : cpus) {
        CHECK(CPU_ISSET(c.number, &set));
        CHECK(c.core <= c.number); // named by its first hardware thread
    }
    CHECK(std::ranges::is_sorted(cpus, {}, &cpu::number));
}

TEST_CASE("cpus: what the system refuses changes nothing") {
    cpu_set_t before;
    REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    CHECK_FALSE(bind_this_thread({}));
    if (!CPU_ISSET(CPU_SETSIZE - 1, &before)) {
        cpu_set absent;
        absent.add(cpu_set::most - 1);
        CHECK_FALSE(bind_this_thread(absent));
    }
    cpu_set_t after;
    REQUIRE(::sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&before, &after));
}
