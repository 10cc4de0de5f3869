// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/moving_average.hpp>

#include "catch.hpp"

using coproc::detail::call_average;
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

namespace {

void add(call_average& to, int calls, float ns) {
    for (int i = 0; i < calls; ++i)
        to.add(ns);
}

} // namespace

TEST_CASE("call_average: nothing is known before the first call, which is believed") {
    call_average average;
    CHECK_FALSE(average.known());
    CHECK_FALSE(average.tiny());
    average.add(700);
    CHECK(average.known());
    CHECK(average.tiny());
    CHECK(average.get() == 700);
    average.add(1e6F); // there have not been many yet
    CHECK(average.get() == 1e6F);
    CHECK_FALSE(average.tiny());
}

TEST_CASE("call_average: a little longer than tiny counts little by little") {
    call_average average;
    average.add(100);
    average.add(200);
    CHECK(average.get() == 125);
    average.add(50'000);
    CHECK(average.get() == 125 + 0.25F * 375);
    CHECK(average.tiny());
    add(average, 20, 50'000);
    CHECK(average.get() > 20'000);
    CHECK_FALSE(average.tiny());
    add(average, 20, 100);
    CHECK(average.tiny());
}

TEST_CASE("call_average: a single long one among many tiny ones is not believed") {
    call_average average;
    add(average, 1000, 100);
    average.add(4e6F);
    CHECK(average.get() == 100);
    CHECK(average.tiny());
    add(average, 1000, 100);
    average.add(4e6F);
    CHECK(average.get() == 100);
    SECTION("but another one soon after is, and remembered for a while") {
        add(average, 999, 100);
        average.add(4e6F);
        CHECK(average.get() == 4e6F);
        add(average, 990, 100);
        CHECK(average.get() < 200);
        CHECK_FALSE(average.tiny());
        add(average, 10, 100);
        CHECK(average.tiny());
    }
    SECTION("nor are several, as long as they do not add up") {
        add(average, 1000, 100);
        for (int i = 0; i < 4; ++i) {
            average.add(240'000);
            CHECK(average.get() == 100);
        }
        average.add(240'000);
        CHECK(average.get() == 240'000);
        CHECK_FALSE(average.tiny());
    }
    SECTION("after however many tiny ones no more than some are doubted") {
        add(average, 1'000'000, 100);
        for (int i = 0; i < 4; ++i)
            average.add(4e6F);
        CHECK(average.tiny());
        average.add(4e6F);
        CHECK(average.get() == 4e6F);
    }
    SECTION("nor is it doubted where calls are not tiny") {
        add(average, 2000, 10'000);
        CHECK(average.get() > 9'000);
        average.add(4e6F);
        CHECK(average.get() == 4e6F);
    }
}
