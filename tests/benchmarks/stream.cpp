// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Many small tasks under way at once: submitted then collected, with callbacks, and through imap.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <ranges>
#include <string>

namespace {

int increment(int x) { return x + 1; }

double collected(coproc::pool& pool, int tasks) {
    std::vector<coproc::async_result<int>> results;
    results.reserve(static_cast<std::size_t>(tasks));
    const double took = measure::timed([&] {
        for (int i = 0; i < tasks; ++i)
            results.push_back(pool.apply_async(increment, i));
        for (auto& r : results)
            r.get();
    });
    return took / tasks;
}

double called_back(coproc::pool& pool, int tasks) {
    std::atomic<int> left{tasks};
    // Not `left` itself: who waits for that would wake up at each call, and take the CPU from
    // others.
    // Shared: set_value() may still be at it when who waits has gone on.
    const auto last = std::make_shared<std::promise<void>>();
    auto all_called = last->get_future();
    std::vector<coproc::async_result<int>> results;
    results.reserve(static_cast<std::size_t>(tasks));
    const double took = measure::timed([&] {
        for (int i = 0; i < tasks; ++i) {
            results.push_back(pool.apply_async(increment, i));
            results.back().then([&left, &last](const int&) {
                if (left.fetch_sub(1) == 1) std::shared_ptr {
                        last
                    } -> set_value();
            });
        }
        all_called.get();
    });
    return took / tasks;
}

double streamed(coproc::pool& pool, int items) {
    long long sum = 0;
    const double took = measure::timed([&] {
        for (const int x : pool.imap(increment, std::views::iota(0, items)))
            sum += x;
    });
    if (sum != static_cast<long long>(items) * (items + 1) / 2) std::abort();
    return took / items;
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    measure::keep_freed_memory();
    const int tasks = arguments.count(100'000);
    for (const std::string name : {"process", "dummy"}) {
        if (!arguments.wants(name)) continue;
        coproc::pool pool{{.workers = 2, .backend = name}};
        const auto row = [&](const std::string& what, auto&& f) {
            if (arguments.wants(name + what))
                measure::report(name + what, measure::median_of(5, f), "ns");
        };
        row(".stream", [&] { return collected(pool, tasks); });
        row(".then", [&] { return called_back(pool, tasks); });
        row(".imap", [&] { return streamed(pool, 2 * tasks); });
    }
}
