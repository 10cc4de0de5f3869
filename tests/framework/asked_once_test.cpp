// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/asked_once.hpp>

#include "catch.hpp"

#include <coproc/detail/known_cpu_count.hpp>

TEST_CASE("asked_once: asks at the first use and never again") {
    static constinit coproc::detail::asked_once answer;
    unsigned asked = 0;
    const auto ask = [&] { return 40 + ++asked; };
    CHECK(asked == 0);
    CHECK(answer.get(ask) == 41);
    CHECK(answer.get(ask) == 41);
    CHECK(asked == 1);
}

TEST_CASE("known_cpu_count: is one count for the whole program") {
    const unsigned first = coproc::detail::known_cpu_count();
    CHECK(first >= 1);
    CHECK(coproc::detail::known_cpu_count() == first);
    CHECK(coproc::detail::single_cpu() == (first == 1));
}
