// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A coroutine application: one thread, a timer that ticks on, and all computing done elsewhere.

#include <coproc/coproc.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <ranges>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::use_awaitable;

int primes_below(int n) {
    const auto is_prime = [](int x) {
        for (int d = 2; d * d <= x; ++d)
            if (x % d == 0) return false;
        return x > 1;
    };
    return static_cast<int>(std::ranges::count_if(std::views::iota(0, n), is_prime));
}

struct pulse {
    int beats = 0;
    std::chrono::steady_clock::duration latest{};
    bool stop = false;
};

asio::awaitable<void> tick(pulse& heart) {
    asio::steady_timer timer{co_await asio::this_coro::executor, std::chrono::steady_clock::now()};
    while (!heart.stop) {
        timer.expires_at(timer.expiry() + 5ms);
        co_await timer.async_wait(use_awaitable);
        ++heart.beats;
        heart.latest = std::max(heart.latest, std::chrono::steady_clock::now() - timer.expiry());
    }
}

// Submit on one line, await on the next. `co_await pool.apply_async(f, x)` in one expression is
// fine as well, except that g++ 12 destroys twice what is an aggregate with a string in it, or a
// closure that holds one, and stands inside the co_await expression; on two lines nothing of the
// kind can happen.
asio::awaitable<void> compute(mp::pool& pool, pulse& heart) {
    auto one = pool.apply_async(primes_below, 100'000);
    const int primes = co_await std::move(one);
    std::cout << "primes below 100000: " << primes << '\n';

    auto many = pool.map_async(primes_below, std::views::iota(20'000, 20'200));
    const auto counts = co_await std::move(many);
    std::cout << "sum of 200 counts: " << std::reduce(counts.begin(), counts.end()) << '\n';

    auto stream = pool.imap(primes_below, std::views::iota(1)); // endless, one at a time
    int n = 0;
    while (auto count = co_await stream.next()) {
        ++n;
        if (*count == 100) break;
    }
    std::cout << "100 primes are below " << n << '\n';
    heart.stop = true;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    asio::io_context io;
    pulse heart;
    const auto rethrow = [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    };
    asio::co_spawn(io, tick(heart), rethrow);
    asio::co_spawn(io, compute(pool, heart), rethrow);
    io.run();

    const auto late = std::chrono::duration<double, std::milli>(heart.latest).count();
    std::cout << "the timer ticked " << heart.beats << " times meanwhile, at most " << late
              << " ms late\n";
}
