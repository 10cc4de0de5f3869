// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Large numbers: of queued tasks, of workers, of pools. Takes minutes and gigabytes, so only with
// --long.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <cstdlib>
#include <string>

namespace {

int increment(int x) { return x + 1; }

double stream(coproc::pool& pool, int tasks) {
    std::vector<coproc::async_result<int>> results;
    results.reserve(static_cast<std::size_t>(tasks));
    const double took = measure::timed([&] {
        for (int i = 0; i < tasks; ++i)
            results.push_back(pool.apply_async(increment, i));
        long long sum = 0;
        for (auto& r : results)
            sum += r.get();
        if (sum != static_cast<long long>(tasks) * (tasks + 1) / 2) std::abort();
    });
    return took / tasks;
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    measure::keep_freed_memory();
    if (!arguments.slow) return 0;

    if (arguments.wants("process.many")) {
        coproc::pool pool{2};
        stream(pool, 10'000);
        measure::report("process.many_tasks_1e5", stream(pool, 100'000), "ns");
        measure::report("process.many_tasks_1e7", stream(pool, 10'000'000), "ns");
    }
    if (arguments.wants("process.many_workers")) {
        const double started = measure::timed([&] {
            coproc::pool pool{256};
            // As with two: once they are there. To start them takes half a second on two CPUs.
            while (pool.stats().workers < 256)
                stream(pool, 10'000);
            measure::report("process.many_workers_256", stream(pool, 100'000), "ns");
        });
        measure::report("process.many_workers_256_with_start_and_end", started / 1e6, "ms");
    }
    if (arguments.wants("process.many_pools")) {
        constexpr int pools = 1000;
        double first_results = 0;
        const double all = measure::timed([&] {
            for (int i = 0; i < pools; ++i) {
                const auto began = measure::now_ns();
                coproc::pool pool{2};
                if (pool.apply(increment, i) != i + 1) std::abort();
                first_results += static_cast<double>(measure::now_ns() - began);
            }
        });
        measure::report("process.many_pools_1000", first_results / pools / 1e6, "ms");
        measure::report("process.many_pools_1000_with_end", all / pools / 1e6, "ms");
    }
}
