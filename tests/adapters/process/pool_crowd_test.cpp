// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Calls that are submitted while others wait: they are left in an inbox, and none is forgotten
// there, overtaken or taken twice.

#include "pool_faults.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <vector>

using namespace coproc_test;

namespace {

/// Cell 0 counts; the cell of the call gets its place.
int take_place(const board& b, int cell) {
    const auto place = ++b[0];
    b[static_cast<std::size_t>(cell)] = place;
    return static_cast<int>(place);
}

/// A worker that is busy until it may go on, and what has been submitted behind it.
struct crowd {
    explicit crowd(const std::string& backend) : pool{on(backend, 1)} {
        blocker = pool.apply_async(hold, files.path("entered"), files.path("leave"));
        REQUIRE(await_sign(files.path("entered")));
    }
    void come(int first, int last) {
        for (int i = first; i != last; ++i)
            calls.push_back(pool.apply_async(take_place, places, i));
    }
    void go_on() { raise_sign(files.path("leave")); }

    signs files;
    board places = board::make();
    coproc::pool pool;
    coproc::async_result<int> blocker;
    std::vector<coproc::async_result<int>> calls;
};

} // namespace

TEST_CASE("calls behind a busy worker run in the order of their submission") {
    const auto backend = each_backend();
    CAPTURE(backend);
    crowd c{backend};
    c.come(1, 300);
    CHECK(c.pool.stats().queued == 299);
    c.come(300, 501); // behind those that have been put in order
    c.go_on();
    for (int i = 0; i != 500; ++i)
        REQUIRE(c.calls[static_cast<std::size_t>(i)].get(patience) == i + 1);
}

TEST_CASE("a call of higher priority overtakes those that came before it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    crowd c{backend};
    c.come(1, 100);
    auto urgent = c.pool.with({.priority = 1}).apply_async(take_place, c.places, 1000);
    auto idle = c.pool.with({.priority = -1}).apply_async(take_place, c.places, 1001);
    c.come(100, 200);
    c.go_on();
    CHECK(urgent.get(patience) == 1);
    CHECK(idle.get(patience) == 201);
    for (int i = 0; i != 199; ++i)
        REQUIRE(c.calls[static_cast<std::size_t>(i)].get(patience) == i + 2);
}

TEST_CASE("a call goes before those of lower priority that wait") {
    const auto backend = each_backend();
    CAPTURE(backend);
    crowd c{backend};
    auto idle = c.pool.with({.priority = -1}).apply_async(take_place, c.places, 1001);
    c.come(1, 100);
    c.go_on();
    CHECK(idle.get(patience) == 100);
}

TEST_CASE("a call that waits behind others can be cancelled") {
    const auto backend = each_backend();
    CAPTURE(backend);
    crowd c{backend};
    c.come(1, 100);
    CHECK(c.calls[98].cancel());
    CHECK(c.calls[0].cancel());
    CHECK_FALSE(c.calls[0].cancel());
    CHECK(is<coproc::cancelled_error>(failure_of(c.calls[98])));
    c.go_on();
    CHECK(c.calls[1].get(patience) == 1);
    CHECK(c.calls[97].get(patience) == 97);
    CHECK(c.places[1] == 0);
    CHECK(c.places[99] == 0);
}

TEST_CASE("a call that takes long among tiny ones holds up none of them") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 3)};
    for (int i = 0; i != 500; ++i)
        REQUIRE(pool.apply(twice, i) == 2 * i); // from here on calls are thought to be tiny
    const signs files;
    std::vector<coproc::async_result<int>> tiny;
    std::vector<coproc::async_result<int>> taking_long;
    for (int i = 0; i != 300; ++i) {
        tiny.push_back(pool.apply_async(twice, i));
        if (i % 100 == 50) {
            const auto entered = files.path("entered" + std::to_string(i));
            taking_long.push_back(pool.apply_async(hold, entered, files.path("leave")));
            // Two of them, at the same time.
            if (taking_long.size() == 2) break;
        }
    }
    for (int i = 151; i != 300; ++i)
        tiny.push_back(pool.apply_async(twice, i));
    for (std::size_t i = 0; i != tiny.size(); ++i)
        REQUIRE(tiny[i].get(patience) == 2 * static_cast<int>(i));
    CHECK(await_sign(files.path("entered50")));
    CHECK(await_sign(files.path("entered150")));
    for (auto& call : taking_long)
        CHECK_FALSE(call.ready());
    raise_sign(files.path("leave"));
    for (auto& call : taking_long)
        call.wait();
}

TEST_CASE("a call that takes long holds up nothing while the others never rest") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 3)};
    for (int i = 0; i != 500; ++i)
        REQUIRE(pool.apply(twice, i) == 2 * i);
    const signs files;
    // There is always more to do than the workers have in hand.
    std::deque<coproc::async_result<int>> others;
    const auto crowd = [&] {
        while (others.size() < 2000)
            others.push_back(pool.apply_async(twice, 1));
        while (!others.empty() && others.front().ready()) {
            CHECK(others.front().get() == 2);
            others.pop_front();
        }
    };
    crowd();
    auto takes_long = pool.apply_async(hold, files.path("entered"), files.path("leave"));
    std::vector<coproc::async_result<int>> behind;
    for (int i = 0; i != 100; ++i)
        behind.push_back(pool.apply_async(twice, i));
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (auto& call : behind)
        while (!call.ready() && std::chrono::steady_clock::now() < deadline)
            crowd();
    for (int i = 0; i != 100; ++i)
        CHECK(behind[static_cast<std::size_t>(i)].get(std::chrono::seconds{0}) == 2 * i);
    CHECK_FALSE(takes_long.ready());
    raise_sign(files.path("leave"));
    takes_long.wait();
    for (auto& call : others)
        CHECK(call.get(patience) == 2);
}

TEST_CASE("calls that are taken back again and again leave room for others") {
    const auto backend = each_backend();
    CAPTURE(backend);
    crowd c{backend};
    const std::string text(1000, 'x');
    std::vector<coproc::async_result<std::size_t>> calls;
    const auto length = [](const std::string& s) { return s.size(); };
    SECTION("overtaken by urgent ones") {
        c.go_on();
        for (int i = 0; i != 200; ++i)
            REQUIRE(c.pool.apply(length, text) == 1000);
        auto again = c.pool.apply_async(hold, c.files.path("again"), c.files.path("on"));
        REQUIRE(await_sign(c.files.path("again")));
        for (int i = 0; i != 100; ++i)
            calls.push_back(c.pool.apply_async(length, text));
        const auto urgent = c.pool.with({.priority = 1});
        for (int i = 0; i != 100; ++i)
            calls.push_back(urgent.apply_async(length, text));
        raise_sign(c.files.path("on"));
        again.wait();
    }
    SECTION("cancelled") {
        for (int i = 0; i != 6000; ++i) {
            auto call = c.pool.apply_async(length, text);
            if (i % 100 == 0)
                calls.push_back(std::move(call));
            else
                REQUIRE(call.cancel());
        }
        c.go_on();
    }
    for (auto& call : calls)
        REQUIRE(call.get(patience) == 1000);
    CHECK(c.blocker.get(patience) != 0);
    CHECK(ends(c.pool));
}

TEST_CASE("calls that are cancelled at once, on and on, are done or cancelled") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 1)};
    const std::string text(1000, 'x');
    const auto length = [](const std::string& s) { return s.size(); };
    int done = 0;
    int cancelled = 0;
    const int rounds = sanitized ? 3000 : 100'000;
    for (int i = 0; i != rounds; ++i) {
        auto call = pool.apply_async(length, text);
        cancelled += call.cancel() ? 1 : 0;
        try {
            done += call.get(patience) == 1000 ? 1 : 0;
        } catch (const coproc::cancelled_error&) { // NOLINT(bugprone-empty-catch)
        }
    }
    CHECK(done + cancelled == rounds);
    CHECK(pool.apply(length, text) == 1000);
    CHECK(ends(pool));
}

TEST_CASE("a pool that is closed does what waits, one that is terminated fails it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const bool terminated = GENERATE(false, true);
    crowd c{backend};
    c.come(1, 100);
    if (terminated)
        c.pool.terminate();
    else
        c.pool.close();
    CHECK_THROWS_AS(c.come(100, 101), coproc::pool_closed_error);
    c.go_on();
    for (int i = 0; i != 99; ++i) {
        auto& call = c.calls[static_cast<std::size_t>(i)];
        if (terminated)
            REQUIRE(is<coproc::cancelled_error>(failure_of(call)));
        else
            REQUIRE(call.get(patience) == i + 1);
    }
    if (terminated) static_cast<void>(failure_of(c.blocker));
    CHECK(ends(c.pool));
}

TEST_CASE("calls that are submitted while a pool is closed are done or refused") {
    const auto backend = each_backend();
    CAPTURE(backend);
    for (int round = 0; round != 10; ++round) {
        coproc::pool pool{on(backend, 2)};
        std::atomic<int> done{0};
        std::atomic<int> wrong{0};
        std::vector<std::thread> submitters;
        for (int t = 0; t != 3; ++t)
            submitters.emplace_back([&] {
                std::vector<coproc::async_result<int>> calls;
                try {
                    for (int i = 0;; ++i)
                        calls.push_back(pool.apply_async(twice, i));
                } catch (const coproc::pool_closed_error&) { // NOLINT(bugprone-empty-catch)
                }
                for (std::size_t i = 0; i != calls.size(); ++i) {
                    try {
                        if (calls[i].get(patience) != 2 * static_cast<int>(i)) ++wrong;
                        ++done;
                    } catch (const std::exception&) {
                        ++wrong;
                    }
                }
            });
        std::this_thread::sleep_for(std::chrono::milliseconds{1 + round});
        pool.close();
        for (auto& t : submitters)
            t.join();
        CHECK(wrong == 0);
        CHECK(ends(pool));
        CHECK(pool.stats().completed == static_cast<std::uint64_t>(done.load()));
    }
}

TEST_CASE("no call is left behind when the crowd comes and goes") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 2)};
    std::atomic<int> wrong{0};
    std::vector<std::thread> all;
    for (int t = 0; t != 3; ++t)
        all.emplace_back([&, t] {
            const int rounds = sanitized ? 50 : 400;
            for (int round = 0; round != rounds; ++round) {
                std::vector<coproc::async_result<int>> calls;
                const int n = 1 + (round * 7 + t * 13) % 150;
                for (int i = 0; i != n; ++i)
                    calls.push_back(pool.apply_async(twice, i));
                try {
                    for (int i = n; i-- != 0;)
                        if (calls[static_cast<std::size_t>(i)].get(patience) != 2 * i) ++wrong;
                } catch (const std::exception&) {
                    ++wrong;
                    return;
                }
            }
        });
    for (auto& t : all)
        t.join();
    CHECK(wrong == 0);
    CHECK(pool.stats().queued == 0);
}
