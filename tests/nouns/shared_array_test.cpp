// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "nouns/lock_cases.hpp"
#include "support/vocabularies.hpp"

#include <limits>
#include <list>
#include <numeric>
#include <ranges>
#include <span>
#include <sstream>
#include <thread>

using namespace coproc_test;

namespace {

struct point {
    int x = 0;
    double y = 0;
};

template <class Array>
std::vector<std::ranges::range_value_t<const Array>> elements(const Array& array) {
    return {array.begin(), array.end()};
}

/// See lock_cases.hpp.
struct locked_number {
    template <class Held>
    long& operator()(const Held& held) const {
        return held[1];
    }
};

} // namespace

TEMPLATE_TEST_CASE("shared_array: ways to make one", "", SHARED_ARRAY_VOCABULARIES) {
    using ints = typename TestType::template shared_array<int>;
    CHECK(elements(ints{3}) == std::vector{0, 0, 0});
    CHECK(elements(ints{3U, 7}) == std::vector{7, 7, 7});
    CHECK(elements(ints({1, 2, 3})) == std::vector{1, 2, 3});
    CHECK(elements(ints(std::vector{4, 5})) == std::vector{4, 5});
    CHECK(elements(ints(std::list{6, 7})) == std::vector{6, 7});
    CHECK(elements(ints(std::views::iota(0, 4))) == std::vector{0, 1, 2, 3});
    std::istringstream text{"8 9 10"};
    CHECK(elements(ints(std::views::istream<int>(text))) == std::vector{8, 9, 10});
    CHECK(ints{}.size() == 0);
    const ints none;
    CHECK(none.begin() == none.end());
    CHECK(ints{0}.size() == 0);
    CHECK_THROWS_AS(ints{-1}, std::invalid_argument);
    CHECK_THROWS_AS(ints{std::numeric_limits<std::size_t>::max() / 8}, std::length_error);
    const typename TestType::template shared_array<point> points{2};
    points[1].y = 0.5;
    CHECK(points[0].x == 0);
    CHECK(points.at(1).y == 0.5);
    const typename TestType::template shared_array<bool> flags{3, true};
    CHECK(flags[2]);
}

TEMPLATE_TEST_CASE("shared_array: a contiguous range, and a handle", "",
                   SHARED_ARRAY_VOCABULARIES) {
    using ints = typename TestType::template shared_array<int>;
    STATIC_REQUIRE(std::ranges::contiguous_range<const ints>);
    STATIC_REQUIRE(std::ranges::sized_range<const ints>);
    STATIC_REQUIRE(std::is_same_v<std::ranges::range_reference_t<const ints>, int&>);
    const ints numbers({3, 1, 2});
    const auto same = numbers;
    std::ranges::sort(same);
    CHECK(elements(numbers) == std::vector{1, 2, 3});
    numbers[0] = 10;
    CHECK(same[0] == 10);
    CHECK(same.data() == numbers.data());
    CHECK(same.data()[2] == 3);
    CHECK(same.span().size() == 3);
    CHECK(same.span()[1] == 2);
    const std::span<int> span{numbers};
    CHECK(span.size() == 3);
    CHECK(numbers.size() == 3);
    CHECK(numbers.at(2) == 3);
    CHECK_THROWS_AS(numbers.at(3), std::out_of_range);
    CHECK(std::accumulate(numbers.begin(), numbers.end(), 0) == 15);
    for (int& x : numbers)
        x = 1;
    CHECK(elements(same) == std::vector{1, 1, 1});
    std::vector<int> doubled;
    for (const int x : numbers | std::views::transform([](int n) { return 2 * n; }))
        doubled.push_back(x);
    CHECK(doubled == std::vector{2, 2, 2});
}

TEMPLATE_TEST_CASE("shared_array: lock", "", SHARED_ARRAY_VOCABULARIES) {
    constexpr int parties = 4;
    const typename TestType::template shared_array<long> counts{3};
    {
        const auto held = counts.lock();
        held[1] = 1;
        for (long& n : held)
            ++n;
        CHECK(held.size() == 3);
        CHECK(held.span().size() == 3);
    }
    CHECK(elements(counts) == std::vector<long>{1, 2, 1});
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<void>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::template shared_array<long> n) {
                for (int k = 0; k < 1000; ++k) {
                    const auto held = n.lock();
                    ++held[0];
                    ++held.span()[2];
                }
            },
            counts));
    all_end(others);
    CHECK(elements(counts) == std::vector<long>{1 + parties * 1000, 2, 1 + parties * 1000});
}

TEMPLATE_TEST_CASE("shared_array: try_lock and try_lock_for", "", SHARED_ARRAY_VOCABULARIES) {
    const typename TestType::template shared_array<long> shared{2};
    check_try_lock<locked_number>(shared);
}

TEMPLATE_TEST_CASE("shared_array: a timed wait for the lock", "", SHARED_ARRAY_VOCABULARIES) {
    const typename TestType::template shared_array<long> shared{2};
    check_timed_lock<TestType, locked_number>(shared);
}

TEMPLATE_TEST_CASE("shared_array: others write where this one reads", "",
                   SHARED_ARRAY_VOCABULARIES) {
    constexpr std::size_t parties = 3;
    constexpr std::size_t each = 10'000;
    const typename TestType::template shared_array<std::size_t> numbers{parties * each};
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<void>> others;
    for (std::size_t i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::template shared_array<std::size_t> a, std::size_t number) {
                const auto mine = a.span().subspan(number * each, each);
                std::iota(mine.begin(), mine.end(), number * each);
            },
            numbers, i));
    all_end(others);
    CHECK(std::ranges::equal(numbers, std::views::iota(std::size_t{0}, parties * each)));
}
