// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How far is it? A map counts its items, a long task reports for itself.

#include <coproc/coproc.hpp>

#include <chrono>
#include <cstdint>
#include <future>
#include <iostream>
#include <ranges>
#include <thread>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int step(int x) {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    return x;
}

int long_way(int steps) {
    for (int i = 1; i <= steps; ++i) {
        step(i);
        mp::this_task::report_progress(static_cast<std::uint64_t>(i),
                                       static_cast<std::uint64_t>(steps));
    }
    return steps;
}

// Reports that come faster than they are read are merged; the last one always comes, before the
// callback of the result.
void print(std::uint64_t done, std::uint64_t total) {
    std::cout << "  " << 100 * done / total << " %\n";
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};
    std::promise<void> first;
    std::promise<void> second;

    auto map = pool.map_async(step, std::views::iota(0, 10));
    map.on_progress(print).then([&first](const auto& values) {
        std::cout << "map done: " << values.size() << '\n';
        first.set_value();
    });
    first.get_future().wait();

    auto task = pool.apply_async(long_way, 10);
    task.on_progress(print).then([&second](int steps) {
        std::cout << "task done: " << steps << '\n';
        second.set_value();
    });
    second.get_future().wait();
}
