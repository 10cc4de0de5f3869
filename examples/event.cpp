// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Two events: one lets all begin at once, one asks them to stop.

#include <coproc/coproc.hpp>

#include <boost/asio.hpp>

#include <chrono>
#include <iostream>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
namespace asio = boost::asio;
using namespace std::chrono_literals;

bool work(const mp::event& start, const mp::event& begun, const mp::event& stop) {
    start.wait();
    begun.set();
    long rounds = 0;
    while (!stop.is_set())
        ++rounds;
    return rounds > 0;
}

// A coroutine waits without blocking its thread.
asio::awaitable<void> stop_them(mp::event begun, mp::event stop) {
    co_await begun.async_wait();
    std::cout << "they work\n";
    stop.set();
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const mp::event start;
    const mp::event begun;
    const mp::event stop;
    std::vector<mp::async_result<bool>> workers;
    for (int i = 0; i < 2; ++i)
        workers.push_back(pool.apply_async(work, start, begun, stop));

    std::cout << "begun before the start: " << std::boolalpha << begun.wait(10ms) << '\n';
    start.set();
    asio::io_context io;
    asio::co_spawn(io, stop_them(begun, stop), asio::detached);
    io.run();
    for (auto& worker : workers)
        std::cout << "worked: " << worker.get() << '\n';
}
