// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// When do they go on? Two that wait for each other at a barrier, and two that do not.

#include <coproc/coproc.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The same clock in all processes of a machine.
struct stamps {
    steady_clock::duration came;
    steady_clock::duration went_on;
};

stamps run(const std::optional<mp::barrier>& barrier, milliseconds preparation) {
    std::this_thread::sleep_for(preparation);
    const auto came = steady_clock::now();
    if (barrier) barrier->wait();
    return {came.time_since_epoch(), steady_clock::now().time_since_epoch()};
}

void compare(mp::pool& pool, const std::string& what, const std::optional<mp::barrier>& barrier) {
    auto quick = pool.apply_async(run, barrier, milliseconds{1});
    auto slow = pool.apply_async(run, barrier, milliseconds{120});
    const stamps a = quick.get();
    const stamps b = slow.get();
    const auto first = std::min(a.came, b.came);
    const auto ms = [&](steady_clock::duration t) {
        return std::chrono::duration_cast<milliseconds>(t - first).count();
    };
    std::cout << what << ": came at " << ms(a.came) << " and " << ms(b.came) << " ms, went on at "
              << ms(a.went_on) << " and " << ms(b.went_on) << " ms\n";
    const bool waited = std::min(a.went_on, b.went_on) >= std::max(a.came, b.came);
    std::cout << what << ": " << (waited ? "nobody went on" : "one went on")
              << " before both had come\n";
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};
    compare(pool, "with a barrier", mp::barrier{2});
    compare(pool, "without", {});
}
