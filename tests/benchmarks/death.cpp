// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A worker is killed in the middle of a task: how long until that task's error is there, and until
// the result of the next task, which another worker has to run, is there. A pool that has lost a
// worker before has a spare one; one that has not must start it.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

int increment(int x) { return x + 1; }
void sleep_long(coproc::event runs) {
    runs.set();
    std::this_thread::sleep_for(60s);
}

struct times {
    std::vector<double> to_error;
    std::vector<double> to_next_result;
};

/// After the pool has been at work for a while.
void kill_one(coproc::pool& pool, times& t) {
    const auto pid = pool.apply(::getpid);
    for (const auto until = measure::now_ns() + 20'000'000; measure::now_ns() < until;)
        pool.apply(increment, 1);
    coproc::event runs;
    auto doomed = pool.apply_async(sleep_long, runs);
    runs.wait();
    std::this_thread::sleep_for(5ms);
    const auto killed = measure::now_ns();
    ::kill(pid, SIGKILL);
    try {
        doomed.get();
        std::abort();
    } catch (const coproc::worker_lost_error&) {
        t.to_error.push_back(static_cast<double>(measure::now_ns() - killed));
    }
    pool.apply(increment, 1);
    t.to_next_result.push_back(static_cast<double>(measure::now_ns() - killed));
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    if (!arguments.wants("process.kill")) return 0;
    coproc::pool pool{1};
    times first;
    times further;
    kill_one(pool, first);
    for (int i = 0; i < arguments.count(50); ++i) {
        kill_one(pool, further);
        coproc::pool fresh{1};
        kill_one(fresh, first);
    }
    measure::report("process.kill_to_error", measure::median(further.to_error) / 1e6, "ms");
    measure::report("process.kill_to_next_result", measure::median(further.to_next_result) / 1e6,
                    "ms");
    measure::report("process.first_kill_to_error", measure::median(first.to_error) / 1e6, "ms");
    measure::report("process.first_kill_to_next_result",
                    measure::median(first.to_next_result) / 1e6, "ms");
}
