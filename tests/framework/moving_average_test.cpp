// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/moving_average.hpp>

#include "catch.hpp"

using coproc::detail::moving_average;
using coproc::detail::ns_each;
using namespace std::chrono_literals;

TEST_CASE("moving_average: the first measurement is believed") {
    CHECK(moving_average(0, 700) == 700);
    CHECK(moving_average(0, 700, 0.5F) == 700);
}

TEST_CASE("moving_average: a little more or less counts a little") {
    CHECK(moving_average(1000, 2000) == 1250);
    CHECK(moving_average(1000, 4000) == 1750);
    CHECK(moving_average(1000, 200) == 800);
    CHECK(moving_average(1000, 200, 1.0F) == 200);
}

TEST_CASE("moving_average: far more than thought is believed at once") {
    CHECK(moving_average(1000, 4001) == 4001);
    CHECK(moving_average(1000, 1e9F, 0.5F) == 1e9F);
}

TEST_CASE("moving_average: no time at all is a measurement, too") {
    CHECK(ns_each(0ns) == 1);
    CHECK(ns_each(10ns, 100) == 1);
    CHECK(ns_each(10us) == 10'000);
    CHECK(ns_each(10us, 4) == 2'500);
    CHECK(moving_average(0, ns_each(0ns)) > 0);
}
