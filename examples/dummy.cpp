// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Processes or threads: one word in the source, one field, or one environment variable.

#include <coproc/coproc.hpp>

#include <iostream>
#include <numeric>
#include <ranges>
#include <unistd.h>
#include <vector>

int square(int x) { return x * x; }
pid_t where() { return getpid(); }

// The same code for either; a template here, `namespace mp = coproc;` against
// `namespace mp = coproc::dummy;` in a program that chooses once and for all.
template <class Pool>
void use(const char* name, Pool& pool) {
    const std::vector<int> squares = pool.map(square, std::views::iota(0, 10));
    std::cout << name << ": sum " << std::reduce(squares.begin(), squares.end()) << ", computed in "
              << (pool.apply(where) == getpid() ? "this process" : "another process") << '\n';
}

int main(int argc, char** argv) {
    coproc::runtime runtime{argc, argv};

    coproc::pool processes{2};
    use("coproc::pool", processes);

    coproc::dummy::pool threads{2};
    use("coproc::dummy::pool", threads);

    // Chosen while the program runs: by this field, or, if it is empty, by the variable
    // COPROC_BACKEND.
    coproc::pool chosen{coproc::pool_options{.workers = 2, .backend = "dummy"}};
    use("backend = \"dummy\"", chosen);

    // Threads see the same memory: dummy::pool takes pointers and captures, which no process could
    // be given.
    std::vector<int> shared(4);
    threads.map([&shared](std::size_t i) { shared[i] = static_cast<int>(i) * 10; }, {0, 1, 2, 3});
    std::cout << "written by threads: " << shared[1] << ' ' << shared[2] << ' ' << shared[3]
              << '\n';
}
