// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// At most two of many tasks at a time, and a crash takes no licence with it.

#include <coproc/coproc.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

// Returns how many licences were in use, its own among them.
int use(const mp::bounded_semaphore& licences, int which) {
    const auto licence = licences.permit(); // given back at the end of the scope, and at a crash
    if (which == 13) std::abort();
    return 2 - static_cast<int>(licences.value());
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{4};

    const mp::bounded_semaphore licences{2};
    std::vector<mp::async_result<int>> tasks;
    for (int i = 0; i < 40; ++i)
        tasks.push_back(pool.apply_async(use, licences, i));

    int most = 0;
    int lost = 0;
    for (auto& task : tasks) {
        try {
            most = std::max(most, task.get());
        } catch (const mp::worker_lost_error&) {
            ++lost;
        }
    }
    std::cout << "at most 2 at once: " << std::boolalpha << (most <= 2) << '\n';
    const auto first = licences.permit();
    const auto second = licences.permit();
    std::cout << lost << " task crashed; the licences are all there\n";

    try {
        licences.release(3);
    } catch (const std::logic_error& e) {
        std::cout << e.what() << '\n';
    }
}
