// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Where a map's inputs and results lie: lent by a caller that waits, made as they come.

#include <coproc/detail/map_items.hpp>

#include "pools.hpp"

#include <barrier>
#include <memory>
#include <numeric>

namespace {

using namespace coproc_test;
using coproc::detail::input_array;
using coproc::detail::loan;
using coproc::detail::result_array;

struct odd_one {
    int value = 7;
};

int plus_one(int x) { return x + 1; }

int no_thousands(int x) {
    if (x % 1000 == 500) throw std::runtime_error{"not " + std::to_string(x)};
    return 2 * x;
}

std::unique_ptr<std::vector<int>> numbers(std::size_t n) {
    auto made = std::make_unique<std::vector<int>>(n);
    std::iota(made->begin(), made->end(), 0);
    return made;
}

} // namespace

TEST_CASE("a loan is over once it was called in, and not before its readers have ended") {
    loan lent;
    REQUIRE(lent.begin());
    REQUIRE(lent.begin());
    std::atomic<bool> over{false};
    std::jthread owner{[&] {
        lent.call_in();
        over = true;
    }};
    // From some moment on there are no new readers.
    CHECK(eventually([&] {
        if (!lent.begin()) return true;
        lent.end();
        return false;
    }));
    CHECK_FALSE(over);
    lent.end();
    CHECK_FALSE(over);
    lent.end();
    owner.join();
    CHECK(over);
    CHECK_FALSE(lent.begin());
    lent.call_in();
}

TEST_CASE("whoever called a loan in can let the memory go") {
    for (int round = 0; round < 200; ++round) {
        auto memory = numbers(64);
        loan lent;
        std::barrier together{3};
        std::atomic<long> sum{0};
        const auto read = [&, data = memory->data()] {
            together.arrive_and_wait();
            while (lent.begin()) {
                sum += std::accumulate(data, data + 64, 0);
                lent.end();
            }
        };
        const std::jthread one{read};
        const std::jthread two{read};
        together.arrive_and_wait();
        lent.call_in();
        std::ranges::fill(*memory, -1000);
        memory.reset();
        CHECK(sum >= 0);
    }
}

TEST_CASE("inputs are one's own or lent") {
    input_array<int> own;
    own.push_back(3);
    own.push_back(4);
    CHECK_FALSE(own.lent());
    CHECK(own.size() == 2);
    CHECK(own.from(1)[0] == 4);

    const auto theirs = numbers(10);
    input_array<int> borrowed{theirs->data(), theirs->size()};
    CHECK(borrowed.lent());
    CHECK(borrowed.size() == 10);
    CHECK(borrowed.from(4) == theirs->data() + 4);
    CHECK(borrowed.take(9) == 9);
    CHECK(borrowed[2] == 2);
}

TEST_CASE("results are there when somebody is about to set them, in any order") {
    result_array<int> numbers{10};
    numbers.make_room(7);
    numbers.set(6, 60);
    numbers.make_room(3); // is there already
    numbers.set(2, 20);
    CHECK(numbers.finish() == std::vector<int>{0, 0, 20, 0, 0, 0, 60, 0, 0, 0});

    result_array<odd_one> odd{2};
    odd.make_room(1);
    const auto odd_ones = odd.finish();
    REQUIRE(odd_ones.size() == 2);
    CHECK(odd_ones[1].value == 7);

    result_array<std::string> texts{2};
    texts.set(1, std::string{"two"});
    CHECK(texts.finish() == std::vector<std::string>{"", "two"});
}

TEST_CASE("results that are set from several threads") {
    result_array<std::size_t> results{64 * 100};
    std::atomic<std::size_t> next{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (auto chunk = next++; chunk < 100; chunk = next++) {
                    results.make_room((chunk + 1) * 64);
                    for (std::size_t i = chunk * 64; i < (chunk + 1) * 64; ++i)
                        results.set(i, i);
                }
            });
    }
    const auto all = results.finish();
    REQUIRE(all.size() == 64 * 100);
    for (std::size_t i = 0; i < all.size(); ++i)
        REQUIRE(all[i] == i);
}

TEST_CASE("a map over numbers fails with the lowest index, wherever its chunks end") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto input = numbers(5000);
    for (const std::size_t size : {std::size_t{1}, std::size_t{333}, std::size_t{5000}}) {
        try {
            pool.with({.chunk_size = size}).map(no_thousands, *input);
            FAIL("nothing was thrown");
        } catch (const coproc::task_failure& f) {
            CHECK(f.index() == 500);
        }
        CHECK_THROWS_WITH(pool.map(no_thousands, *input), "not 500");
    }
    CHECK(pool.map(plus_one, *input).at(4999) == 5000);
}

TEST_CASE("what a map was lent is let go of when it is stopped") {
    const auto backend = each_backend();
    CAPTURE(backend);
    for (int round = 0; round < 8; ++round) {
        coproc::pool pool{on(backend)};
        auto input = numbers(300'000);
        const std::jthread stopper{[&] {
            std::this_thread::sleep_for(std::chrono::microseconds{300 * round});
            pool.terminate();
        }};
        try {
            const auto all = pool.map(plus_one, *input);
            CHECK(all.size() == 300'000);
        } catch (const coproc::cancelled_error&) {
        } catch (const coproc::pool_closed_error&) {}
        std::ranges::fill(*input, -1);
        input.reset();
        pool.terminate();
        CHECK(pool.join(patience));
    }
}

TEST_CASE("a thread that was given up does not look at what its caller lent") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    const auto late = coproc::bind_front(
        [](const std::string& in, const std::string& out, int x) {
            if (x == 0) {
                raise_sign(in);
                await_sign(out);
            }
            return x;
        },
        seen.path("in"), seen.path("out"));
    auto input = numbers(100'000);
    CHECK_THROWS_AS(pool.with({.timeout = 20ms, .chunk_size = 100'000}).map(late, *input),
                    coproc::timeout_error);
    std::ranges::fill(*input, -1);
    input.reset();
    raise_sign(seen.path("out"));
    CHECK(pool.apply(plus_one, 1) == 2);
    pool.close();
    CHECK(pool.join(patience));
}

TEST_CASE("a function on a thread may change what it is called with") {
    coproc::dummy::pool pool{2};
    std::vector<int> values(1000);
    std::iota(values.begin(), values.end(), 0);
    const auto former = pool.map(
        [&](int x) {
            values[static_cast<std::size_t>(999 - x)] = -1;
            return x;
        },
        values);
    CHECK(std::ranges::count(values, -1) == 1000);
    for (int i = 0; i < 1000; ++i)
        REQUIRE(former[static_cast<std::size_t>(i)] == i);
}
