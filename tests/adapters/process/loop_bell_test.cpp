// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Event loops of the program's that take the replies to their calls by themselves: what they do
// without the reactor, and that nobody else depends on them.

#include "pool_faults.hpp"
#include "reactor_stopped.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <vector>

using namespace coproc_test;

namespace {

int increment(int x) { return x + 1; }
int die(int) {
    ::raise(SIGKILL);
    return 0;
}
std::vector<int> numbers(int n) {
    std::vector<int> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Runs a coroutine that a test has given up on never.
template <class Coroutine>
void start(asio::io_context& io, Coroutine&& coroutine) {
    asio::co_spawn(io, std::forward<Coroutine>(coroutine), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
}

asio::awaitable<int> call(coproc::pool& pool, int x) {
    auto result = pool.apply_async(increment, x);
    const int got = co_await std::move(result);
    co_return got;
}

asio::awaitable<void> call_often(coproc::pool& pool, int rounds, std::atomic<int>& right) {
    for (int i = 0; i < rounds; ++i) {
        const int got = co_await call(pool, i);
        right += got == i + 1 ? 1 : 0;
    }
}

/// From here on the library knows that `io` is awaited in; all workers are idle. Returns how many
/// calls were right.
int make_known(asio::io_context& io, coproc::pool& pool, std::size_t workers) {
    std::atomic<int> right = 0;
    start(io, call_often(pool, 2, right));
    io.run();
    REQUIRE(right == 2);
    REQUIRE(eventually([&] { return pool.stats().idle == workers; }));
    io.restart();
    return right;
}

} // namespace

TEST_CASE("loop: takes the replies to its calls without the reactor, asleep or polled") {
    const bool polled = GENERATE(false, true);
    CAPTURE(polled);
    coproc::pool pool{{.workers = 2}};
    REQUIRE(eventually([&] { return pool.stats().idle == 2; }));
    asio::io_context io;
    std::atomic<int> right = make_known(io, pool, 2);
    const auto slow = [](int x) {
        std::this_thread::sleep_for(2ms); // the loop sleeps by then
        return x;
    };
    int slowly = 0;
    {
        const reactor_stopped nobody_else;
        start(io, [&]() -> asio::awaitable<void> {
            co_await call_often(pool, 300, right);
            for (int i = 0; i < 20; ++i) {
                auto result = pool.apply_async(slow, i);
                const int got = co_await std::move(result);
                slowly += got;
            }
        });
        if (polled) {
            while (!io.stopped())
                io.poll();
        } else {
            io.run(); // comes to its end although it watches a bell
        }
    }
    CHECK(right == 302);
    CHECK(slowly == 190);
}

TEST_CASE("loop: handlers of results that come together run in order, each by itself") {
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    make_known(io, pool, 1);
    std::vector<int> order;
    // On a busy machine, or with a sanitizer, calls may take so long that not all of them are sent
    // or answered at once. The rest is left to the reactor, which must not be stopped for ever.
    std::optional<reactor_stopped> nobody_else{std::in_place};
    asio::steady_timer at_last{io, 2s};
    at_last.async_wait([&](const boost::system::error_code& cancelled) {
        if (!cancelled) nobody_else.reset();
    });
    asio::post(io, [&] {
        for (int i = 0; i < 6; ++i)
            pool.apply_async(increment, i)
                .async_get(asio::bind_executor(io, [&](const std::exception_ptr&, int x) {
                    order.push_back(x);
                    if (x == 1 || x == 3) throw std::runtime_error{"of a handler"};
                    if (x == 4) io.stop();
                    if (x == 6) at_last.cancel();
                }));
        std::this_thread::sleep_for(20ms);
    });
    CHECK_THROWS_AS(io.run(), std::runtime_error);
    CHECK(order == std::vector{1});
    CHECK_THROWS_AS(io.run(), std::runtime_error);
    CHECK(order == std::vector{1, 2, 3});
    io.run();
    CHECK(order == std::vector{1, 2, 3, 4});
    io.restart();
    io.run();
    CHECK(order == std::vector{1, 2, 3, 4, 5, 6});
}

TEST_CASE("loop: calls that follow one another keep nothing else waiting") {
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    std::atomic<int> right = 0;
    bool stop = false;
    int others = 0;
    start(io, [&]() -> asio::awaitable<void> {
        while (!stop)
            co_await call_often(pool, 1, right);
    });
    std::function<void()> other = [&] {
        if (++others < 100)
            asio::post(io, other);
        else
            stop = true;
    };
    asio::steady_timer timer{io, 5ms};
    timer.async_wait([&](boost::system::error_code) { other(); });
    io.run();
    CHECK(others == 100);
    CHECK(right > 0);
}

TEST_CASE("loop: a handler that makes a call and throws, or stops its context, has it answered") {
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    make_known(io, pool, 1);
    const bool throws = GENERATE(false, true);
    CAPTURE(throws);
    std::vector<int> order;
    std::function<void(int)> next = [&](int x) {
        order.push_back(x);
        if (x == 100) return;
        pool.apply_async(increment, x)
            .async_get(asio::bind_executor(
                io, [&](const std::exception_ptr&, int incremented) { next(incremented); }));
        if (x % 10 != 0) return;
        if (throws) throw std::runtime_error{"of a handler"};
        io.stop();
    };
    asio::post(io, [&] { next(1); });
    for (int interruptions = 1; interruptions < 10; ++interruptions) {
        io.restart();
        if (throws)
            CHECK_THROWS_AS(io.run(), std::runtime_error);
        else
            io.run();
        CHECK(order.back() == 10 * interruptions);
    }
    io.restart();
    io.run();
    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 1);
    CHECK(order == expected);
}

TEST_CASE("loop: a handler that waits for a result may run its loop itself") {
    coproc::pool pool{{.workers = 2}};
    asio::io_context io;
    std::atomic<int> right = 0;
    bool outer = false;
    start(io, [&]() -> asio::awaitable<void> {
        co_await call_often(pool, 3, right);
        bool inner = false;
        start(io, [&]() -> asio::awaitable<void> {
            co_await call_often(pool, 100, right);
            inner = true;
        });
        while (!inner)
            io.poll();
        co_await call_often(pool, 3, right);
        outer = true;
    });
    io.run();
    CHECK(outer);
    CHECK(right == 106);
}

TEST_CASE("loop: one that is blocked holds up neither futures nor other threads nor the queue") {
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    std::string went_wrong;
    start(io, [&]() -> asio::awaitable<void> {
        co_await call(pool, 0);
        // Of its own calls, told by others:
        auto mine = pool.apply_async(increment, 1);
        auto told = mine.future();
        if (told.wait_for(patience) != std::future_status::ready) went_wrong += "future; ";
        std::promise<int> called_back;
        pool.apply_async(increment, 2).then([&](const int& x) { called_back.set_value(x); });
        if (called_back.get_future().wait_for(patience) != std::future_status::ready)
            went_wrong += "then; ";
        // One whose reply nobody takes while others have work for the only worker:
        auto left = pool.apply_async(increment, 3);
        std::thread others{[&] {
            std::vector<std::future<int>> results;
            for (int i = 0; i < 200; ++i)
                results.push_back(pool.apply_async(increment, i).future());
            for (auto& r : results)
                if (r.wait_for(patience) != std::future_status::ready) went_wrong += "others; ";
        }};
        others.join();
        asio::io_context another;
        std::thread elsewhere{[&] {
            std::atomic<int> right = 0;
            start(another, call_often(pool, 100, right));
            another.run();
            if (right != 100) went_wrong += "another loop; ";
        }};
        elsewhere.join();
        const int at_last = co_await std::move(left);
        if (at_last != 4) went_wrong += "its own; ";
    });
    io.run();
    CHECK(went_wrong == "");
}

TEST_CASE("loop: one that is not run any more leaves its calls to the reactor") {
    coproc::pool pool{{.workers = 1}};
    std::future<int> told;
    asio::io_context io;
    start(io, [&]() -> asio::awaitable<void> {
        co_await call(pool, 0);
        told = pool.apply_async(increment, 1).future();
        io.stop();
    });
    io.run();
    REQUIRE(told.wait_for(patience) == std::future_status::ready);
    CHECK(told.get() == 2);
    CHECK(pool.apply(increment, 2) == 3);
    pool.close();
    pool.join();
}

TEST_CASE("loop: a pool can be joined from a handler, with calls of the loop in flight") {
    asio::io_context io;
    bool joined = false;
    start(io, [&]() -> asio::awaitable<void> {
        coproc::pool pool{{.workers = 1}};
        co_await call(pool, 0);
        auto left = pool.apply_async(increment, 1);
        pool.close();
        pool.join();
        joined = left.ready();
    });
    io.run();
    CHECK(joined);
}

TEST_CASE("loop: many at one pool, more than a worker has bells for") {
    coproc::pool pool{{.workers = 2}};
    constexpr int loops = 12;
    std::atomic<int> right = 0;
    for (int round = 0; round < 2; ++round) { // others take the places of those that are gone
        std::vector<std::thread> threads;
        for (int i = 0; i < loops; ++i)
            threads.emplace_back([&] {
                asio::io_context io{1};
                start(io, call_often(pool, 50, right));
                start(io, call_often(pool, 50, right));
                io.run();
            });
        for (auto& t : threads)
            t.join();
    }
    CHECK(right == 2 * loops * 100);
}

TEST_CASE("loop: run by several threads") {
    coproc::pool pool{{.workers = 2}};
    asio::io_context io;
    std::atomic<int> right = 0;
    for (int i = 0; i < 3; ++i) {
        start(io, call_often(pool, 200, right));
        asio::co_spawn(asio::make_strand(io), call_often(pool, 200, right), asio::detached);
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] { io.run(); });
    for (auto& t : threads)
        t.join();
    CHECK(right == 1200);
}

TEST_CASE("loop: a worker that is killed, one that runs out of time, one that is cancelled") {
    using namespace asio::experimental::awaitable_operators;
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    int lost = 0;
    int late = 0;
    std::atomic<int> right = 0;
    const auto for_ever = [](int) { std::this_thread::sleep_for(1h); };
    start(io, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
            co_await call_often(pool, 20, right);
            try {
                auto result = pool.apply_async(die, i);
                co_await std::move(result);
            } catch (const coproc::worker_lost_error&) {
                ++lost;
            }
            co_await call_often(pool, 20, right);
            try {
                const auto impatient = pool.with({.timeout = 20ms});
                auto result = impatient.apply_async(for_ever, i);
                co_await std::move(result);
            } catch (const coproc::timeout_error&) {
                ++late;
            }
            co_await call_often(pool, 20, right);
            asio::steady_timer timer{co_await asio::this_coro::executor, 20ms};
            auto result = pool.apply_async(for_ever, i);
            co_await (result.async_get(asio::use_awaitable) ||
                      timer.async_wait(asio::use_awaitable));
        }
    });
    io.run();
    CHECK(lost == 3);
    CHECK(late == 3);
    CHECK(right == 180);
}

TEST_CASE("loop: a large reply is decoded elsewhere, and comes") {
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    bool right = true;
    start(io, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 10; ++i) {
            co_await call(pool, i);
            auto result = pool.apply_async(numbers, 200'000);
            const auto got = co_await std::move(result);
            right = right && got.size() == 200'000 && got.back() == 199'999;
        }
    });
    io.run();
    CHECK(right);
}

TEST_CASE("loop: destroyed with calls outstanding, it takes its handlers with it") {
    coproc::pool pool{{.workers = 1}};
    const signs s;
    const auto in_a_strand = GENERATE(false, true);
    CAPTURE(in_a_strand);
    auto witness = std::make_shared<int>(0);
    std::weak_ptr<int> watched = witness;
    bool resumed = false;
    const auto name = s.path("entered-" + std::to_string(in_a_strand));
    const auto leave = s.path("leave-" + std::to_string(in_a_strand));
    {
        asio::io_context io;
        asio::any_io_executor executor = io.get_executor();
        if (in_a_strand) executor = asio::make_strand(io);
        asio::co_spawn(
            executor,
            [&, witness = std::move(witness)]() -> asio::awaitable<void> {
                co_await call(pool, 0);
                auto result = pool.apply_async(hold, name, leave);
                co_await std::move(result);
                resumed = true;
            },
            asio::detached);
        while (!sees_sign(name))
            io.run_for(1ms);
        CHECK_FALSE(watched.expired());
    }
    CHECK(watched.expired()); // before the result is there
    raise_sign(leave);
    CHECK(pool.apply(increment, 1) == 2);
    CHECK(eventually([&] { return pool.stats().completed >= 3; }));
    CHECK_FALSE(resumed);
}

TEST_CASE("loop: destroyed while results arrive") {
    coproc::pool pool{{.workers = 2}};
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> right = 0;
        asio::io_context io;
        for (int i = 0; i < 8; ++i)
            start(io, call_often(pool, 1000, right));
        io.run_for(1ms);
    }
    asio::thread_pool threads{2};
    std::atomic<int> right = 0;
    for (int i = 0; i < 8; ++i)
        asio::co_spawn(threads, call_often(pool, 100'000'000, right), asio::detached);
    CHECK(eventually([&] { return right > 100; }));
    threads.stop();
    threads.join();
    CHECK(pool.apply(increment, 1) == 2);
}

TEST_CASE("loop: the program forks while it waits") {
    coproc::pool pool{{.workers = 1}};
    asio::io_context io;
    std::atomic<int> right = 0;
    pid_t child = 0;
    int status = -1;
    start(io, [&]() -> asio::awaitable<void> {
        co_await call_often(pool, 3, right);
        auto left = pool.apply_async(increment, 1);
        io.notify_fork(asio::io_context::fork_prepare);
        child = ::fork();
        if (child == 0) {
            io.notify_fork(asio::io_context::fork_child);
            coproc::pool own{{.workers = 1}};
            std::atomic<int> here = 0;
            co_await call_often(own, 20, here);
            own.terminate();
            ::_exit(here == 20 ? 0 : 1);
        }
        io.notify_fork(asio::io_context::fork_parent);
        co_await std::move(left);
        co_await call_often(pool, 100, right);
        ::waitpid(child, &status, 0);
        co_await call_often(pool, 100, right);
    });
    io.run();
    CHECK(right == 203);
    CHECK(status == 0);
}
