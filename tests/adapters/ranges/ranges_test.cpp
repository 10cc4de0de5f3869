// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A pool in the middle of a pipeline, of std and of range-v3, and streams as ranges of both.

#include <coproc/ranges.hpp>

#include "pools.hpp"

#include <range/v3/algorithm/equal.hpp>
#include <range/v3/numeric/accumulate.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/enumerate.hpp>
#include <range/v3/view/filter.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/take.hpp>
#include <range/v3/view/transform.hpp>

#include <algorithm>
#include <list>
#include <numeric>
#include <ranges>
#include <set>
#include <vector>

namespace {

using namespace coproc_test;

int square(int x) { return x * x; }
bool even(int x) { return x % 2 == 0; }
int plus_one(int x) { return x + 1; }

} // namespace

TEST_CASE("imap in a pipeline of range-v3") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const std::vector<int> inputs{1, 2, 3, 4};

    const auto boxed = [](int x) { return std::make_unique<int>(x); };
    const auto unboxed = [](std::unique_ptr<int> x) { return *x; };
    int sum = 0;
    for (const int x : std::vector{1, 2, 3} | coproc::views::imap(pool, boxed) |
                           coproc::views::imap(pool, unboxed))
        sum += x;
    CHECK(sum == 6);
    CHECK(pool.map(unboxed, pool.imap(boxed, {4, 5})) == std::vector{4, 5});
    CHECK((inputs | coproc::views::imap(pool, square) | ranges::to<std::vector>()) ==
          std::vector<int>{1, 4, 9, 16});
    CHECK((inputs | coproc::views::imap(pool, square) | ranges::to<std::list<int>>()) ==
          std::list<int>{1, 4, 9, 16});
    CHECK((inputs | ranges::views::transform(plus_one) | coproc::views::imap(pool, square) |
           ranges::views::filter(even) | ranges::to<std::vector>()) == std::vector<int>{4, 16});
    CHECK((ranges::views::iota(1, 5) | coproc::views::imap(pool, square) |
           ranges::to<std::vector>()) == std::vector<int>{1, 4, 9, 16});
    auto unordered = inputs | coproc::views::imap_unordered(pool, square) | ranges::to<std::set>();
    CHECK(unordered == std::set<int>{1, 4, 9, 16});
    CHECK((ranges::views::iota(0) | coproc::views::imap(pool, square) | ranges::views::take(5) |
           ranges::to<std::vector>()) == std::vector<int>{0, 1, 4, 9, 16});
    CHECK(ranges::accumulate(inputs | coproc::views::imap(pool, square), 0) == 30);
    CHECK((std::vector<int>{5, 6} | coproc::views::imap(pool, square) |
           ranges::to<std::vector>()) == std::vector<int>{25, 36});
    // One stage after another.
    CHECK((inputs | coproc::views::imap(pool, square) | coproc::views::imap(pool, plus_one) |
           ranges::to<std::vector>()) == std::vector<int>{2, 5, 10, 17});
}

TEST_CASE("imap in a pipeline of std") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const std::vector<int> inputs{1, 2, 3, 4};
    const auto collect = [](auto&& range) {
        std::vector<int> out;
        for (int x : range)
            out.push_back(x);
        return out;
    };

    CHECK(collect(inputs | coproc::views::imap(pool, square)) == std::vector<int>{1, 4, 9, 16});
    CHECK(collect(inputs | std::views::filter(even) | coproc::views::imap(pool, square)) ==
          std::vector<int>{4, 16});
    CHECK(collect(inputs | coproc::views::imap(pool, square) | std::views::transform(plus_one) |
                  std::views::filter(even)) == std::vector<int>{2, 10});
    CHECK(collect(std::views::iota(0) | coproc::views::imap(pool, square) | std::views::take(3)) ==
          std::vector<int>{0, 1, 4});
    CHECK(collect(std::views::iota(0) | coproc::views::imap(pool, square) |
                  std::views::take_while([](int x) { return x < 10; })) ==
          std::vector<int>{0, 1, 4, 9});
    auto unordered = collect(inputs | coproc::views::imap_unordered(pool, square));
    std::ranges::sort(unordered);
    CHECK(unordered == std::vector<int>{1, 4, 9, 16});
    int sum = 0;
    std::ranges::for_each(inputs | coproc::views::imap(pool, square), [&](int x) { sum += x; });
    CHECK(sum == 30);
    CHECK(collect(coproc::views::imap(pool, square)(inputs)) == std::vector<int>{1, 4, 9, 16});
}

TEST_CASE("a stream composes in pipelines") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    STATIC_REQUIRE(ranges::input_range<coproc::stream<int>>);
    STATIC_REQUIRE(ranges::view_<coproc::stream<int>>);
    STATIC_REQUIRE(std::ranges::view<coproc::stream<int>>);

    std::vector<int> got;
    for (int x : pool.imap(square, std::views::iota(0)) | std::views::take(3))
        got.push_back(x);
    for (int x : pool.imap(square, std::views::iota(0)) | ranges::views::take(3))
        got.push_back(x);
    CHECK(got == std::vector<int>{0, 1, 4, 0, 1, 4});
    auto stream = pool.imap(square, {1, 2, 3});
    CHECK((stream | ranges::views::transform(plus_one) | ranges::to<std::vector>()) ==
          std::vector<int>{2, 5, 10});
    std::vector<int> places;
    for (auto&& [i, x] : pool.imap(square, {5, 6}) | ranges::views::enumerate)
        places.push_back(static_cast<int>(i) * 100 + x);
    CHECK(places == std::vector<int>{25, 136});
    const auto common = pool.imap(square, {1, 2}) | ranges::to<std::vector>();
    CHECK(common == std::vector<int>{1, 4});
}

TEST_CASE("pipelines with options, with bound state, and on any pool") {
    coproc::pool pool{on("process")};
    auto labelled = pool.with({.chunk_size = 2, .label = "stage"});
    const auto labels =
        std::vector<int>{1, 2} |
        coproc::views::imap(labelled, [](int) { return coproc::this_task::label(); }) |
        ranges::to<std::vector>();
    CHECK(labels == std::vector<std::string>{"stage", "stage"});
    const auto unnamed =
        std::vector<int>{1} |
        coproc::views::imap_unordered(pool.with({.label = "now"}),
                                      [](int) { return coproc::this_task::label(); }) |
        ranges::to<std::vector>();
    CHECK(unnamed == std::vector<std::string>{"now"});
    const auto plus = coproc::bind_front([](int a, int b) { return a + b; }, 10);
    CHECK((std::vector<int>{1} | coproc::views::imap(pool, plus) | ranges::to<std::vector>()) ==
          std::vector<int>{11});
    coproc::dummy::pool threads{2};
    int offset = 5;
    CHECK((std::vector<int>{1, 2} |
           coproc::views::imap(threads, [&offset](int x) { return x + offset; }) |
           ranges::to<std::vector>()) == std::vector<int>{6, 7});
}

TEST_CASE("a failure in a pipeline is thrown where it is read") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::vector<int> got;
    const auto picky = [](int x) { return x == 3 ? throw std::out_of_range{"3"} : x; };
    CHECK_THROWS_AS(
        [&] {
            for (int x : ranges::views::iota(0) | coproc::views::imap(pool, picky) |
                             ranges::views::transform(plus_one))
                got.push_back(x);
        }(),
        std::out_of_range);
    CHECK(got == std::vector<int>{1, 2, 3});
}
