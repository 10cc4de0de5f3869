// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A queue that the tasks of a pool share: a handle is an argument like any other.

#include <coproc/coproc.hpp>

#include <algorithm>
#include <iostream>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

// Says what it finds while it searches, rather than at its end.
int search(const mp::queue<int>& found, int from) {
    int count = 0;
    for (int n = from; n < from + 25; ++n) {
        const bool prime = n > 1 && std::ranges::none_of(std::vector{2, 3, 5, 7}, [n](int d) {
                               return n % d == 0 && n != d;
                           });
        if (!prime) continue;
        found.put(n);
        ++count;
    }
    return count;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const mp::queue<int> found;
    std::vector<mp::async_result<int>> searches;
    for (int from = 0; from < 100; from += 25)
        searches.push_back(pool.apply_async(search, found, from));

    int expected = 0;
    for (auto& search : searches)
        expected += search.get();
    std::vector<int> primes;
    for (int i = 0; i < expected; ++i)
        primes.push_back(found.get());
    std::ranges::sort(primes);
    std::cout << primes.size() << " primes below 100, the last is " << primes.back() << '\n';
}
