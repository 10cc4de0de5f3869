// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A daemon in the background: nobody waits for it, and it ends with the program. The other process
// is waited for, although nobody says so.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <thread>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
using namespace std::chrono_literals;

void tick() {
    const auto stop = mp::this_task::stop_token(); // only a thread has to look at it
    while (!stop.stop_requested()) {
        std::cout << "tick\n";
        std::this_thread::sleep_for(10ms);
    }
}

void work() {
    std::this_thread::sleep_for(100ms);
    std::cout << "the work is done\n";
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    mp::process clock{{.name = "clock", .daemon = true}, tick};
    clock.start();
    static mp::process worker{work};
    worker.start();

    std::cout << "main is at its end, " << mp::active_children().size() << " processes are not"
              << std::endl;
}
