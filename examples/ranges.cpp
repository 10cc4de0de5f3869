// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A pool as one step of a pipeline of ranges: lazy, bounded, in order.

#include <ranges>

#include <coproc/coproc.hpp>

#include <iostream>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

bool lucky(long n) { // a sum of digits that 7 divides, and so has n
    long sum = 0;
    for (long rest = n; rest != 0; rest /= 10)
        sum += rest % 10;
    return sum % 7 == 0 && n % 7 == 0;
}

long next_lucky(long n) {
    while (!lucky(n))
        ++n;
    return n;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const auto thousands =
        std::views::iota(1L) | std::views::transform([](long n) { return n * 1000; });

    for (long n : thousands | mp::views::imap(pool, next_lucky) | std::views::take(5))
        std::cout << n << ' ';
    std::cout << '\n';

    // A stream is a view as well, so what follows may be anything.
    auto odd =
        pool.imap(next_lucky, thousands) | std::views::filter([](long n) { return n % 2 != 0; });
    for (long n : odd | std::views::take(3))
        std::cout << n << ' ';
    std::cout << '\n';
}
