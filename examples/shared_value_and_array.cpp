// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A value and an array that the tasks of a pool share: nothing of them is copied.

#include <coproc/coproc.hpp>

#include <algorithm>
#include <iostream>
#include <numeric>
#include <span>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

struct extremes {
    int least;
    int most;
};

void work(const mp::shared_array<int>& numbers, const mp::shared_value<int>& done,
          const mp::shared_value<extremes>& seen, int part) {
    const auto mine = numbers.span().subspan(static_cast<std::size_t>(part) * 250, 250);
    for (int& n : mine) {
        n = (n * 37 + 11) % 1009;
        const auto held = seen.lock(); // several fields belong together
        held->least = std::min(held->least, n);
        held->most = std::max(held->most, n);
    }
    done.fetch_add(1); // atomic by itself
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const mp::shared_array<int> numbers{1000};
    std::iota(numbers.begin(), numbers.end(), 0);
    const mp::shared_value<int> done{0};
    const mp::shared_value<extremes> seen{{9999, -1}};

    std::vector<mp::async_result<void>> parts;
    for (int part = 0; part < 4; ++part)
        parts.push_back(pool.apply_async(work, numbers, done, seen, part));
    for (auto& part : parts)
        part.get();

    std::cout << done.load() << " parts, the last number is now " << numbers[999] << '\n'
              << "between " << seen.load().least << " and " << seen.load().most << '\n';
}
