// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Several processes at the same time. Each has its own memory: what one changes, the others and the
// program do not see (threads would).

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int counter = 0;

void count(int id) {
    counter += id;
    std::cout << "process " + std::to_string(id) + " counts " + std::to_string(counter) + '\n';
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    std::vector<mp::process> processes;
    for (int id = 1; id <= 4; ++id)
        processes.emplace_back(count, id);
    for (auto& p : processes)
        p.start(); // all of them run now
    for (auto& p : processes)
        p.join();

    std::cout << "the program's counter is " << counter << '\n';
    std::cout << "still running: " << mp::active_children().size() << '\n';
}
