// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Calls that wait where no thread has been told of them: none is forgotten, and none comes out of
// its turn.

#include "support/catch.hpp"

#include <coproc/dummy/pool.hpp>

#include <atomic>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 30s; // generous: only a hang is a failure

template <class Condition>
bool eventually(Condition&& condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

/// The pool has seen so many short calls that it counts on the next one to be short.
void make_known_as_short(coproc::dummy::pool& pool) {
    for (int i = 0; i < 200; ++i)
        pool.apply([] {});
}

} // namespace

TEST_CASE("a call behind one that was thought to be short is taken by a thread that slept") {
    coproc::dummy::pool pool{2};
    for (int round = 0; round < 20; ++round) {
        make_known_as_short(pool);
        if (round % 2 == 0) std::this_thread::sleep_for(1ms); // both sleep
        std::latch released{1};
        auto first = pool.apply_async([&] { released.wait(); });
        auto second = pool.apply_async([&] { released.count_down(); });
        // Nobody waits in get(): that would see to it sooner.
        REQUIRE(eventually([&] { return first.ready() && second.ready(); }));
    }
}

TEST_CASE("whoever waits for a call behind one that was thought to be short has it taken") {
    coproc::dummy::pool pool{2};
    for (int round = 0; round < 100; ++round) {
        make_known_as_short(pool);
        std::latch released{1};
        auto first = pool.apply_async([&] { released.wait(); });
        auto second = pool.apply_async([&] { released.count_down(); });
        second.get(patience);
        first.get(patience);
    }
}

TEST_CASE("calls on threads come in the order of their priorities, and of their submission") {
    coproc::dummy::pool pool{1};
    make_known_as_short(pool);
    std::latch go{1};
    auto held = pool.apply_async([&] { go.wait(); });
    std::vector<int> order; // one thread runs them all
    std::vector<coproc::async_result<void>> all;
    const auto note = [&order](int n) { order.push_back(n); };
    all.push_back(pool.with({.priority = -1}).apply_async(note, 7));
    all.push_back(pool.apply_async(note, 3));
    all.push_back(pool.apply_async(note, 4));
    all.push_back(pool.with({.priority = 1}).apply_async(note, 1));
    all.push_back(pool.apply_async(note, 5));
    all.push_back(pool.with({.timeout = 30s}).apply_async(note, 6));
    all.push_back(pool.with({.priority = 1}).apply_async(note, 2));
    go.count_down();
    for (auto& each : all)
        each.get(patience);
    held.get();
    CHECK(order == std::vector{1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("a call can be cancelled where no thread has been told of it") {
    coproc::dummy::pool pool{1};
    make_known_as_short(pool);
    std::latch go{1};
    auto held = pool.apply_async([&] { go.wait(); });
    std::atomic<int> ran{0};
    std::vector<coproc::async_result<void>> all;
    for (int i = 0; i < 100; ++i)
        all.push_back(pool.apply_async([&] { ++ran; }));
    for (std::size_t i = 0; i < all.size(); i += 2)
        CHECK(all[i].cancel());
    CHECK(pool.stats().queued == 50);
    go.count_down();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i % 2 == 0)
            CHECK_THROWS_AS(all[i].get(patience), coproc::cancelled_error);
        else
            all[i].get(patience);
    }
    CHECK(ran == 50);
}

TEST_CASE("what has been submitted before close() is run, also where no thread was told of it") {
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> ran{0};
        coproc::dummy::pool pool{2};
        for (int i = 0; i < 200; ++i)
            pool.apply_async([&] { ++ran; });
        pool.close();
        CHECK_THROWS_AS(pool.apply_async([] {}), coproc::pool_closed_error);
        pool.join();
        CHECK(ran == 200);
    }
}

TEST_CASE("threads that submit while a pool closes are refused or served") {
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> ran{0};
        std::atomic<int> accepted{0};
        coproc::dummy::pool pool{2};
        std::vector<std::thread> submitters;
        for (int t = 0; t < 4; ++t)
            submitters.emplace_back([&] {
                try {
                    for (;;) {
                        pool.apply_async([&] { ++ran; });
                        ++accepted;
                    }
                } catch (const coproc::pool_closed_error&) {}
            });
        std::this_thread::sleep_for(1ms);
        pool.close();
        for (auto& each : submitters)
            each.join();
        pool.join();
        CHECK(ran == accepted);
        CHECK(pool.stats().completed == static_cast<std::uint64_t>(ran));
    }
}

TEST_CASE("no call is forgotten while threads fall asleep and wake up") {
    coproc::dummy::pool pool{3};
    std::vector<std::thread> submitters;
    std::atomic<int> sum{0};
    for (int t = 0; t < 3; ++t)
        submitters.emplace_back([&, t] {
            for (int i = 0; i < 300; ++i) {
                auto result = pool.apply_async([] { return 1; });
                // Pauses about as long as a thread looks for work before it sleeps.
                const auto until =
                    std::chrono::steady_clock::now() + std::chrono::microseconds{(i * 7 + t) % 60};
                while (std::chrono::steady_clock::now() < until)
                    std::this_thread::yield();
                sum += result.get(patience);
            }
        });
    for (auto& each : submitters)
        each.join();
    CHECK(sum == 900);
}
