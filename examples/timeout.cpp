// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Two kinds of patience: that of the one who waits, and that with the task itself.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <thread>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
using namespace std::chrono_literals;

int slow(int x) {
    std::this_thread::sleep_for(300ms);
    return x;
}

// Never ends. A process is stopped all the same; a thread can only be asked, through its
// stop_token.
int endless() {
    volatile unsigned turns = 0;
    while (!mp::this_task::stop_token().stop_requested())
        turns = turns + 1;
    return 0;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{1};

    // The caller gives up waiting; the task goes on, and its result can still be had.
    auto result = pool.apply_async(slow, 42);
    try {
        result.get(10ms);
    } catch (const mp::timeout_error&) {
        std::cout << "not yet\n";
    }
    std::cout << "but now: " << result.get() << '\n';

    // The task has a limit; it counts from when the task starts to run.
    try {
        pool.with({.timeout = 100ms, .label = "endless"}).apply(endless);
    } catch (const mp::timeout_error& e) {
        std::cout << (e.kind() == mp::timeout_error::running ? "stopped while it ran\n" : "?\n");
    }

    // How long it may wait for a worker.
    auto first = pool.apply_async(slow, 1);
    try {
        pool.with({.queue_timeout = 20ms}).apply(slow, 2);
    } catch (const mp::timeout_error& e) {
        std::cout << (e.kind() == mp::timeout_error::queued ? "never started\n" : "?\n");
    }
    std::cout << "the pool goes on: " << first.get() << '\n';
}
