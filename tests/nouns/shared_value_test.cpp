// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "nouns/lock_cases.hpp"
#include "support/vocabularies.hpp"

#include <array>
#include <limits>
#include <thread>

using namespace coproc_test;

namespace {

enum class colour : std::uint8_t { red, green };

/// Too large to be read and written at once.
struct range {
    std::int64_t from = 0;
    std::int64_t to = 0;
    std::array<std::int64_t, 6> inside{};

    friend bool operator==(const range&, const range&) = default;
};

/// See lock_cases.hpp.
struct locked_number {
    template <class Held>
    long& operator()(const Held& held) const {
        return *held;
    }
};

} // namespace

TEMPLATE_TEST_CASE("shared_value: load, store, exchange", "", SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<int> value{5};
    const auto same = value;
    CHECK(value.load() == 5);
    same.store(6);
    CHECK(value.load() == 6);
    CHECK(value.exchange(7) == 6);
    CHECK(same.load() == 7);
    CHECK(typename TestType::template shared_value<int>{}.load() == 0);

    const typename TestType::template shared_value<double> real{0.5};
    CHECK(real.exchange(1.5) == 0.5);
    const typename TestType::template shared_value<bool> flag;
    CHECK_FALSE(flag.exchange(true));
    CHECK(flag.load());
    const typename TestType::template shared_value<colour> paint{colour::green};
    CHECK(paint.load() == colour::green);
    const typename TestType::template shared_value<range> large{range{1, 2, {}}};
    CHECK(large.load().to == 2);
    large.store({3, 4, {5}});
    CHECK(large.load() == range{3, 4, {5}});
}

TEMPLATE_TEST_CASE("shared_value: compare_exchange", "", SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<int> value{1};
    int expected = 2;
    CHECK_FALSE(value.compare_exchange_strong(expected, 3));
    CHECK(expected == 1);
    CHECK(value.compare_exchange_strong(expected, 3));
    CHECK(value.load() == 3);
    expected = 3;
    while (!value.compare_exchange_weak(expected, 4)) {}
    CHECK(value.load() == 4);
    CHECK_FALSE(value.compare_exchange_weak(expected, 5));
    CHECK(expected == 4);

    const typename TestType::template shared_value<range> large{range{1, 2, {}}};
    range other{};
    CHECK_FALSE(large.compare_exchange_strong(other, {3, 4, {}}));
    CHECK(other == range{1, 2, {}});
    CHECK(large.compare_exchange_strong(other, {3, 4, {}}));
    CHECK(large.load().from == 3);
}

TEMPLATE_TEST_CASE("shared_value: arithmetic", "", SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<int> value{10};
    CHECK(value.fetch_add(5) == 10);
    CHECK(value.fetch_sub(3) == 15);
    CHECK(value.fetch_and(6) == 12);
    CHECK(value.fetch_or(3) == 4);
    CHECK(value.fetch_xor(5) == 7);
    CHECK(value.load() == 2);
    const typename TestType::template shared_value<double> real{1.5};
    CHECK(real.fetch_add(0.25) == 1.5);
    CHECK(real.fetch_sub(1) == 1.75);
    CHECK(real.load() == 0.75);
    const typename TestType::template shared_value<int> edge{std::numeric_limits<int>::max()};
    edge.fetch_add(1);
    CHECK(edge.load() == std::numeric_limits<int>::min());
    const typename TestType::template shared_value<std::uint8_t> small{250};
    small.fetch_add(10);
    CHECK(small.load() == 4);
    small.fetch_sub(5);
    CHECK(small.load() == 255);
}

TEMPLATE_TEST_CASE("shared_value: lock holds the value for several operations", "",
                   SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<range> value;
    {
        auto held = value.lock();
        held->from = 1;
        (*held).to = 2;
        *held = {held->from + 1, held->to + 1, {}};
    }
    CHECK(value.load() == range{2, 3, {}});
    const typename TestType::template shared_value<int> count{1};
    {
        const auto held = count.lock();
        *held += 1;
    }
    *count.lock() += 1;
    CHECK(count.load() == 3);
}

TEMPLATE_TEST_CASE("shared_value: try_lock and try_lock_for", "", SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<long> shared{};
    check_try_lock<locked_number>(shared);
}

TEMPLATE_TEST_CASE("shared_value: a timed wait for the lock", "", SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<long> shared{};
    check_timed_lock<TestType, locked_number>(shared);
}

TEMPLATE_TEST_CASE("shared_value: no operation of many parties is lost", "",
                   SHARED_VALUE_VOCABULARIES) {
    constexpr int parties = 4;
    constexpr int rounds = 2000;
    const typename TestType::template shared_value<std::int64_t> added;
    const typename TestType::template shared_value<std::int64_t> exchanged;
    const typename TestType::template shared_value<range> locked;
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<int>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::template shared_value<std::int64_t> a,
               typename TestType::template shared_value<std::int64_t> x,
               typename TestType::template shared_value<range> l) {
                int torn = 0;
                for (int k = 0; k < rounds; ++k) {
                    a.fetch_add(2);
                    a.fetch_sub(1);
                    auto seen = x.load();
                    while (!x.compare_exchange_weak(seen, seen + 1)) {}
                    auto held = l.lock();
                    torn += held->from == held->to ? 0 : 1;
                    ++held->from;
                    ++held->to;
                }
                return torn;
            },
            added, exchanged, locked));
    for (auto& other : others)
        CHECK(result_of(other) == 0);
    CHECK(added.load() == parties * rounds);
    CHECK(exchanged.load() == parties * rounds);
    CHECK(locked.load().to == parties * rounds);
}

TEMPLATE_TEST_CASE("shared_value: a value that is too large for one instruction is never torn", "",
                   SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<range> value;
    typename TestType::crew crew{3};
    std::vector<coproc::async_result<int>> others;
    for (int i = 1; i <= 3; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::template shared_value<range> v, int number) {
                int torn = 0;
                for (std::int64_t k = 0; k < 1000; ++k) {
                    const std::int64_t x = k * 3 + number;
                    if (number == 1) {
                        const auto held = v.lock();
                        held->from = x;
                        held->to = x;
                        held->inside.fill(x);
                    } else {
                        v.store({x, x, {x, x, x, x, x, x}});
                    }
                    const auto seen = v.load();
                    torn += seen.from == seen.to ? 0 : 1;
                    for (const auto inside : seen.inside)
                        torn += inside == seen.from ? 0 : 1;
                }
                return torn;
            },
            value, i));
    for (auto& other : others)
        CHECK(result_of(other) == 0);
}
