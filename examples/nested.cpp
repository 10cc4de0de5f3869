// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A task may have a pool of its own; when the task goes, so do its workers.

#include <coproc/coproc.hpp>

#include <iostream>
#include <numeric>
#include <ranges>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int square(int x) { return x * x; }

int sum_of_squares(int n) {
    mp::pool inner{2};
    const std::vector<int> squares = inner.map(square, std::views::iota(1, n + 1));
    return std::reduce(squares.begin(), squares.end());
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool outer{2};

    for (int sum : outer.map(sum_of_squares, {1, 2, 3, 10, 100}))
        std::cout << sum << ' ';
    std::cout << '\n';
}
