// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// One call there and back: a caller that blocks, one that was idle, and coroutines on an io_context
// that sleeps in epoll (of a call that takes its time, which is taken off), that runs and need not
// sleep, or that is polled.

#include "measure.hpp"
#include "ping_pong.hpp"

#include <coproc/coproc.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>
#include <thread>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

int increment(int x) { return x + 1; }

/// Takes so long that whoever waits for it sleeps; returns how long.
std::int64_t take_a_while(int) {
    const auto began = measure::now_ns();
    while (measure::now_ns() - began < measure::asleep_after_ns) {}
    return measure::now_ns() - began;
}

void blocking(coproc::pool& pool, const std::string& name, const measure::arguments& arguments) {
    const int rounds = arguments.count(100'000);
    for (int i = 0; i < rounds / 10; ++i)
        pool.apply(increment, i);
    std::vector<double> samples;
    samples.reserve(static_cast<std::size_t>(rounds));
    for (int i = 0; i < rounds; ++i)
        samples.push_back(measure::timed([&] { pool.apply(increment, i); }));
    measure::report(name + ".apply.p50", measure::percentile(samples, 0.5), "ns");
    measure::report(name + ".apply.p99", measure::percentile(samples, 0.99), "ns");
}

/// In turns with the floor: how long a wake-up takes depends on what others on the machine do, and
/// changes from one second to the next.
void after_idleness(coproc::pool& pool, const measure::arguments& arguments,
                    measure::sleepers& floor) {
    std::vector<double> samples;
    std::vector<double> floor_samples;
    for (int i = 0; i < arguments.count(150); ++i) {
        std::this_thread::sleep_for(10ms);
        samples.push_back(measure::timed([&] { pool.apply(increment, i); }));
        std::this_thread::sleep_for(10ms);
        floor_samples.push_back(measure::timed([&] { floor.round_trip(); }));
    }
    measure::report("process.apply_after_10ms", measure::median(samples), "ns");
    measure::report("floor.futex_after_10ms", measure::median(floor_samples), "ns");
}

asio::awaitable<void> call_often(coproc::pool& pool, int rounds, std::vector<double>& samples,
                                 bool& done) {
    for (int i = 0; i < rounds; ++i) {
        const auto began = measure::now_ns();
        auto result = pool.apply_async(increment, i);
        co_await std::move(result);
        samples.push_back(static_cast<double>(measure::now_ns() - began));
    }
    done = true;
}

asio::awaitable<void> call_from_sleep(coproc::pool& pool, int rounds,
                                      std::vector<double>& samples) {
    for (int i = 0; i < rounds; ++i) {
        const auto began = measure::now_ns();
        auto result = pool.apply_async(take_a_while, i);
        const auto took = co_await std::move(result);
        samples.push_back(static_cast<double>(measure::now_ns() - began - took));
    }
}

void awaited(coproc::pool& pool, const std::string& name, const measure::arguments& arguments) {
    asio::io_context io{1};
    std::vector<double> samples;
    bool done = false;

    asio::co_spawn(io, call_from_sleep(pool, arguments.count(10'000), samples), asio::detached);
    io.run();
    measure::report(name + ".co_await_sleeping", measure::median(samples), "ns");

    samples.clear();
    io.restart();
    asio::co_spawn(io, call_often(pool, arguments.count(20'000), samples, done), asio::detached);
    io.run();
    measure::report(name + ".co_await_run", measure::median(samples), "ns");

    samples.clear();
    done = false;
    io.restart();
    asio::co_spawn(io, call_often(pool, arguments.count(20'000), samples, done), asio::detached);
    while (!done)
        io.poll();
    measure::report(name + ".co_await_polled", measure::median(samples), "ns");
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    std::optional<measure::sleepers> floor;
    if (arguments.wants("process.apply_after")) floor.emplace();
    for (const std::string name : {"process", "dummy"}) {
        if (!arguments.wants(name)) continue;
        coproc::pool pool{{.workers = 2, .backend = name}};
        if (arguments.wants(name + ".apply")) blocking(pool, name, arguments);
        if (floor && name == "process") after_idleness(pool, arguments, *floor);
        if (arguments.wants(name + ".co_await")) awaited(pool, name, arguments);
    }
}
