// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

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
    const auto others_get = [&] {
        bool got = false;
        std::thread{[&] {
            got = shared.try_lock().has_value();
            for (const auto time : {-1s, 0s})
                CHECK(shared.try_lock_for(time).has_value() == got);
            CHECK(shared.try_lock_for(got ? patience : 1ms).has_value() == got);
        }}.join();
        return got;
    };
    {
        auto outer = shared.try_lock();
        REQUIRE(outer);
        **outer = 1;
        {
            const auto inner = shared.try_lock_for(0s); // this thread has it
            REQUIRE(inner);
            const auto lock = shared.lock();
            *lock += **inner;
        }
        CHECK_FALSE(others_get());
        auto moved = std::move(outer);
        CHECK_FALSE(others_get());
        moved = shared.try_lock(); // one more, then one less
        CHECK_FALSE(others_get());
        moved = std::nullopt;
        outer.reset();
    }
    CHECK(others_get());
    {
        auto held = shared.lock();
        held = shared.lock();
        CHECK(*held == 2);
        CHECK_FALSE(others_get());
    }
    CHECK(others_get());
}

TEMPLATE_TEST_CASE("shared_value: a timed wait for the lock", "", SHARED_VALUE_VOCABULARIES) {
    const typename TestType::template shared_value<long> shared{};
    const typename TestType::event locked;
    const typename TestType::event leave;
    typename TestType::crew crew{3};
    std::vector<coproc::async_result<void>> others;
    others.push_back(crew.apply_async(
        [](typename TestType::template shared_value<long> s, typename TestType::event in,
           typename TestType::event out) {
            const auto held = s.lock();
            in.set();
            out.wait(patience);
        },
        shared, locked, leave));
    REQUIRE(locked.wait(patience));
    CHECK_FALSE(shared.try_lock());
    CHECK_FALSE(shared.try_lock_for(1ms));
    leave.set();
    CHECK(shared.try_lock_for(patience));
    for (int i = 0; i < 2; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::template shared_value<long> s) {
                for (int k = 0; k < 500; ++k) {
                    auto held = s.try_lock();
                    while (!held)
                        held = s.try_lock_for(10us);
                    ++**held;
                }
            },
            shared));
    all_end(others);
    CHECK(shared.load() == 1000);
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
