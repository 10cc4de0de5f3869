// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// An input without end: imap reads only as far ahead as the workers need, and stops when its reader
// does.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <ranges>
#include <thread>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int collatz_steps(int n) {
    int steps = 0;
    for (auto x = static_cast<unsigned long>(n); x != 1; ++steps)
        x = x % 2 == 0 ? x / 2 : 3 * x + 1;
    return steps;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{4};

    // Numbers that take longer to come to 1 than all before them; the results come in the order of
    // the inputs.
    int n = 0;
    int record = -1;
    for (int steps : pool.imap(collatz_steps, std::views::iota(1))) {
        ++n;
        if (steps <= record) continue;
        record = steps;
        std::cout << n << " takes " << steps << " steps\n";
        if (steps > 100) break; // here the rest is cancelled
    }

    // As they are done, not as they were given: the short ones need not wait for the long one.
    const auto sleep = [](int ms) {
        std::this_thread::sleep_for(std::chrono::milliseconds{ms});
        return ms;
    };
    for (int ms : pool.with({.chunk_size = 1}).imap_unordered(sleep, {1000, 1, 2, 3}))
        std::cout << "slept " << ms << " ms\n";
}
