// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A task that crashes loses itself and nothing else: its result is an exception, the rest goes on.

#include <coproc/coproc.hpp>

#include <iostream>
#include <vector>

namespace mp = coproc; // on threads, where a crash ends the program: namespace mp = coproc::dummy;

int* volatile nowhere = nullptr;

int risky(int x) {
    if (x == 3) *nowhere = x;
    return x * 10;
}

int flaky(int x) { return mp::this_task::attempt() < 3 ? risky(3) : x; }

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    std::vector<mp::async_result<int>> results;
    for (int x = 0; x < 6; ++x)
        results.push_back(pool.with({.label = "risky"}).apply_async(risky, x));

    for (auto& result : results) {
        try {
            std::cout << result.get() << '\n';
        } catch (const mp::worker_lost_error& e) {
            std::cout << "lost in '" << e.label() << "': " << e.signal_name() << ", exit code "
                      << e.exit_code() << '\n';
            std::cout << (e.backtrace().find("risky") != std::string::npos
                              ? "the backtrace names risky\n"
                              : "no backtrace\n");
        }
    }

    // What may be tried again says so.
    std::cout << "third attempt: " << pool.with({.retries = 2}).apply(flaky, 42) << '\n';
    std::cout << "workers lost: " << pool.stats().workers_lost
              << ", workers now: " << pool.workers() << '\n';
}
