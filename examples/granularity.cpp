// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How to cut work into tasks: too fine, and handing over costs more than the work; too coarse, and
// some workers wait for the last one. The pool finds the measure by itself.

#include <coproc/coproc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <ranges>
#include <utility>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

constexpr int limit = 400'000;

// The larger the number, the more there is to do, so pieces of equal length are not pieces of equal
// work.
int is_prime(int n) {
    for (int d = 2; d * d <= n; ++d)
        if (n % d == 0) return 0;
    return n > 1 ? 1 : 0;
}

int primes_between(int from, int to) {
    int count = 0;
    for (int n = from; n < to; ++n)
        count += is_prime(n);
    return count;
}

std::vector<std::pair<int, int>> cut(int pieces) {
    std::vector<std::pair<int, int>> parts;
    for (int i = 0; i < pieces; ++i)
        parts.emplace_back(static_cast<int>(static_cast<long>(limit) * i / pieces),
                           static_cast<int>(static_cast<long>(limit) * (i + 1) / pieces));
    return parts;
}

double seconds(const std::function<int()>& work) {
    const auto start = std::chrono::steady_clock::now();
    const int primes = work();
    if (primes != 33'860) std::printf("wrong: %d\n", primes);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double fastest(const std::function<int()>& work) {
    return std::min({seconds(work), seconds(work), seconds(work)});
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    const double serial = fastest([] { return primes_between(0, limit); });
    std::printf("the primes below %d, in one loop: %.0f ms\n\n", limit, serial * 1e3);
    std::printf("efficiency: 1.00 is as many times as fast as there are workers\n");
    std::printf("%8s%16s%16s%16s%16s\n", "workers", "a task a number", "1 per worker",
                "20 per worker", "adaptive");

    const int most = std::clamp(static_cast<int>(mp::cpu_count()), 1, 64);
    for (int workers = 1; workers <= most; workers *= 2) {
        mp::pool pool{workers};
        pool.map(is_prime, std::views::iota(0, 1000)); // the workers are awake
        const auto total = [](const std::vector<int>& counts) {
            return std::reduce(counts.begin(), counts.end());
        };
        const auto numbers = std::views::iota(0, limit);
        auto one_by_one = pool.with({.chunk_size = 1}); // a task is what is said to be one
        const auto pieces = [&](int n) {
            return total(one_by_one.starmap(primes_between, cut(n)));
        };

        std::printf("%8d", workers);
        for (const double time : {seconds([&] { return total(one_by_one.map(is_prime, numbers)); }),
                                  fastest([&] { return pieces(workers); }),
                                  fastest([&] { return pieces(20 * workers); }),
                                  fastest([&] { return total(pool.map(is_prime, numbers)); })})
            std::printf("%16.2f", serial / time / workers);
        std::printf("\n");
    }
    std::printf("\nAs for the rest: write map over the items, and let the pool cut.\n");
}
