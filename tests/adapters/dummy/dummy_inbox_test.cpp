// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Calls that wait where no thread has been told of them: none is forgotten, and none comes out of
// its turn.

#include "support/catch.hpp"

#include <coproc/dummy/pool.hpp>
#include <coproc/this_task.hpp>

#include <atomic>
#include <latch>
#include <mutex>
#include <thread>
#include <utility>
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
    std::latch begun{1};
    auto held = pool.apply_async([&] {
        begun.count_down();
        go.wait();
    });
    begun.wait();
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

namespace {

/// Puts calls into the pool's inbox while its one thread is held, and lets it go.
class held_back {
public:
    explicit held_back(coproc::dummy::pool& pool) {
        make_known_as_short(pool);
        held_ = pool.apply_async([this] { go_.wait(); });
    }
    void let_go() {
        go_.count_down();
        held_.get(patience);
    }

private:
    std::latch go_{1};
    coproc::async_result<void> held_;
};

} // namespace

TEST_CASE("calls that are run in a row publish each result before the next one begins") {
    coproc::dummy::pool pool{1};
    for (int round = 0; round < 50; ++round) {
        held_back held{pool};
        std::atomic<bool> seen{false};
        auto first = pool.apply_async([] { return 1; });
        auto second = pool.apply_async([&] {
            const auto deadline = std::chrono::steady_clock::now() + patience;
            while (!seen && std::chrono::steady_clock::now() < deadline)
                std::this_thread::yield();
            return seen.load();
        });
        held.let_go();
        CHECK(first.get(patience) == 1); // the second one waits for this
        seen = true;
        CHECK(second.get(patience));
    }
}

TEST_CASE("a call that waits for one behind it in a row is no end to either") {
    coproc::dummy::pool pool{2};
    for (int round = 0; round < 20; ++round) {
        make_known_as_short(pool);
        // Both threads are held, so that what follows is taken in a row.
        std::latch go{1};
        auto a = pool.apply_async([&] { go.wait(); });
        auto b = pool.apply_async([&] { go.wait(); });
        std::vector<coproc::async_result<void>> short_ones;
        std::latch released{1};
        for (int i = 0; i < 4; ++i)
            short_ones.push_back(pool.apply_async([] {}));
        auto first = pool.apply_async([&] { released.wait(); });
        auto second = pool.apply_async([&] { released.count_down(); });
        go.count_down();
        REQUIRE(eventually([&] { return first.ready() && second.ready(); }));
        for (auto& each : short_ones)
            each.get(patience);
        a.get(patience);
        b.get(patience);
    }
}

TEST_CASE("a call in a row can be cancelled while it runs, and those behind it are run") {
    for (int round = 0; round < 20; ++round) {
        coproc::dummy::pool pool{1};
        held_back held{pool};
        std::atomic<int> ran{0};
        std::atomic<bool> begun{false};
        std::vector<coproc::async_result<void>> all;
        for (int i = 0; i < 3; ++i)
            all.push_back(pool.apply_async([&] { ++ran; }));
        auto endless = pool.apply_async([&] {
            begun = true;
            const auto stop = coproc::this_task::stop_token();
            while (!stop.stop_requested())
                std::this_thread::yield();
        });
        for (int i = 0; i < 3; ++i)
            all.push_back(pool.apply_async([&] { ++ran; }));
        held.let_go();
        REQUIRE(eventually([&] { return begun.load(); }));
        CHECK_FALSE(all[0].cancel()); // it has been run
        CHECK(endless.cancel());
        CHECK_THROWS_AS(endless.get(patience), coproc::cancelled_error);
        for (auto& each : all)
            each.get(patience);
        CHECK(ran == 6);
        const auto stats = pool.stats();
        CHECK(stats.cancelled == 1);
        CHECK(stats.running == 0);
        CHECK(stats.queued == 0);
    }
}

TEST_CASE("what is let go of behind a call in a row is outside of any task") {
    static std::atomic<int> inside{0};
    struct result {
        bool armed = false;
        result() = default;
        explicit result(bool now) : armed{now} {}
        result(result&& other) noexcept : armed{std::exchange(other.armed, false)} {}
        result& operator=(result&&) = delete;
        ~result() {
            if (!armed) return;
            if (!coproc::this_task::label().empty()) ++inside;
            coproc::this_task::report_progress(1, 1);
        }
    };
    coproc::dummy::pool pool{1};
    for (int round = 0; round < 20; ++round) {
        held_back held{pool};
        for (int i = 0; i < 8; ++i) // nobody keeps the handle
            pool.with({.label = "in a row"}).apply_async([] { return result{true}; });
        auto last = pool.apply_async([] {});
        held.let_go();
        last.get(patience);
    }
    CHECK(inside == 0);
}

TEST_CASE("a call in a row that fails takes none of the others along") {
    coproc::dummy::pool pool{1};
    for (int round = 0; round < 50; ++round) {
        const auto before = pool.stats();
        held_back held{pool};
        const auto warm = pool.stats().completed - before.completed;
        std::vector<coproc::async_result<int>> all;
        for (int i = 0; i < 12; ++i)
            all.push_back(pool.with({.label = "in a row"}).apply_async([i] {
                if (i % 3 == 1) throw std::out_of_range{"no such thing"};
                return i;
            }));
        held.let_go();
        for (int i = 0; i < 12; ++i) {
            auto& each = all[static_cast<std::size_t>(i)];
            if (i % 3 != 1) {
                CHECK(each.get(patience) == i);
                continue;
            }
            try {
                each.get(patience);
                FAIL("it should have thrown");
            } catch (const std::out_of_range& e) {
                CHECK(dynamic_cast<const coproc::task_failure&>(e).label() == "in a row");
            }
        }
        REQUIRE(eventually([&] { return pool.stats().running == 0; }));
        const auto after = pool.stats();
        CHECK(after.failed - before.failed == 4);
        CHECK(after.completed - before.completed == warm + 1 + 8);
    }
}

TEST_CASE("every short call is counted, whoever looks meanwhile") {
    coproc::dummy::pool pool{2};
    constexpr std::uint64_t calls = 20'000;
    std::atomic<bool> over{false};
    std::uint64_t last = 0;
    bool never_less = true;
    std::thread onlooker{[&] {
        while (!over) {
            const auto now = pool.stats();
            never_less = never_less && now.completed >= last;
            last = now.completed;
            std::this_thread::sleep_for(200us);
        }
    }};
    std::vector<coproc::async_result<int>> all;
    for (std::uint64_t i = 0; i < calls; ++i)
        all.push_back(pool.apply_async([] { return 1; }));
    for (std::size_t i = 0; i < all.size(); i += 997)
        all[i].cancel(); // done, running or waiting
    std::uint64_t values = 0;
    for (auto& each : all) {
        try {
            values += static_cast<std::uint64_t>(each.get(patience));
        } catch (const coproc::cancelled_error&) {}
    }
    over = true;
    onlooker.join();
    CHECK(never_less);
    const auto stats = pool.stats();
    CHECK(stats.completed == values);
    CHECK(stats.completed + stats.cancelled == calls);
    CHECK(stats.queued == 0);
}

TEST_CASE("a pool that is terminated or closed in the middle of rows of short calls ends") {
    for (int round = 0; round < 100; ++round) {
        std::atomic<int> ran{0};
        coproc::dummy::pool pool{2};
        make_known_as_short(pool);
        std::vector<coproc::async_result<void>> all;
        for (int i = 0; i < 300; ++i)
            all.push_back(pool.apply_async([&] { ++ran; }));
        if (round % 2 == 0)
            pool.terminate();
        else
            pool.close();
        REQUIRE(pool.join(patience));
        int done = 0;
        for (auto& each : all) {
            REQUIRE(each.ready());
            if (each.successful())
                ++done;
            else
                CHECK_THROWS_AS(each.get(), coproc::cancelled_error);
        }
        CHECK(done <= ran);
        if (round % 2 != 0) CHECK(done == 300);
    }
}
