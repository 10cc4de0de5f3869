// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A function and a range: the calls run on the workers, the results come in the order of the
// inputs.

#include <coproc/coproc.hpp>

#include <iostream>
#include <ranges>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int square(int x) { return x * x; }

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv}; // always the first line: a worker process goes no further

    mp::pool pool{4};
    const std::vector<int> squares = pool.map(square, std::views::iota(0, 100));

    for (std::size_t i = 0; i < squares.size(); ++i)
        std::cout << squares[i] << (i % 10 == 9 ? '\n' : ' ');
}
