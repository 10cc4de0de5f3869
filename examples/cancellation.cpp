// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Work that is no longer wanted: dropped if it waits, stopped if it runs.

#include <coproc/coproc.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <iostream>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
namespace asio = boost::asio;
using namespace std::chrono_literals;

// A process is stopped without being asked; a thread has to look at its stop_token.
int endless(int x) {
    while (!mp::this_task::stop_token().stop_requested()) {}
    return x;
}

void report(mp::async_result<int> result) {
    try {
        const int value = result.get();
        std::cout << "too late: " << value << '\n';
    } catch (const mp::cancelled_error&) {
        std::cout << "cancelled\n";
    }
}

// Whoever awaits a task owns its fate: when the timer wins, `||` cancels the other side, and the
// task is stopped.
asio::awaitable<void> race(mp::pool& pool) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer{co_await asio::this_coro::executor, 100ms};
    auto task = pool.apply_async(endless, 3);
    auto both = task.async_get(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
    const auto winner = co_await std::move(both);
    std::cout << (winner.index() == 0 ? "the task was first\n" : "the timer was first\n");
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{1};

    auto running = pool.apply_async(endless, 1);
    auto waiting = pool.apply_async(endless, 2); // there is one worker: this one has to wait
    waiting.cancel();
    report(std::move(waiting));
    running.cancel();
    report(std::move(running));

    asio::io_context io;
    asio::co_spawn(io, race(pool), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    io.run();

    std::cout << "the pool goes on: " << pool.apply([](int x) { return x + 1; }, 41) << '\n';
}
