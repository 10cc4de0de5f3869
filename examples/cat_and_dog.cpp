// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Two processes that talk over each other: both run at the same time, and their lines mix.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

void talk(const std::string& sound, std::chrono::milliseconds pause) {
    for (int i = 1; i <= 4; ++i) {
        std::cout << sound + ' ' + std::to_string(i) + '\n';
        std::this_thread::sleep_for(pause);
    }
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    mp::process cat{talk, "miaow", std::chrono::milliseconds{20}};
    mp::process dog{talk, "woof", std::chrono::milliseconds{30}};
    cat.start();
    dog.start();
    cat.join();
    dog.join();
    std::cout << "silence\n";
}
