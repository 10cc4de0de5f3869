// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A first process: a function that runs beside the program, in a process of its own.

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

void greet(const std::string& name, int times) {
    for (int i = 0; i != times; ++i)
        std::cout << "hello " + name + '\n';
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    mp::process p{greet, "world", 2};
    p.start(); // returns at once: the arguments are on their way
    p.join();  // waits for the end
    std::cout << "it ended with " << p.exit_code().value() << '\n';
}
