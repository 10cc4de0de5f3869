// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A worker is killed in the middle of a task: how long until that task's error is there, and until
// the result of the next task, which a new worker has to run, is there.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

int increment(int x) { return x + 1; }
void sleep_long() { std::this_thread::sleep_for(60s); }

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    if (!arguments.wants("process.kill")) return 0;
    coproc::pool pool{1};
    std::vector<double> to_error;
    std::vector<double> to_next;
    for (int i = 0; i < arguments.count(50); ++i) {
        const auto pid = pool.apply(::getpid);
        auto doomed = pool.apply_async(sleep_long);
        std::this_thread::sleep_for(5ms); // it runs now
        const auto killed = measure::now_ns();
        ::kill(pid, SIGKILL);
        try {
            doomed.get();
            std::abort();
        } catch (const coproc::worker_lost_error&) {
            to_error.push_back(static_cast<double>(measure::now_ns() - killed));
        }
        pool.apply(increment, 1);
        to_next.push_back(static_cast<double>(measure::now_ns() - killed));
    }
    measure::report("process.kill_to_error", measure::median(to_error) / 1e6, "ms");
    measure::report("process.kill_to_next_result", measure::median(to_next) / 1e6, "ms");
}
