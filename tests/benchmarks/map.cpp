// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Maps: next to no work, little work, and work that is badly distributed, beside oneTBB's
// parallel_for and the best schedule that two threads could have run.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#ifdef COPROC_HAS_TBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#endif

#include <numeric>
#include <string>
#include <thread>

namespace {

constexpr unsigned threads = 2;

int plus_thousand(int x) { return x + 1000; }

constexpr std::uint64_t small_steps = 120; // about 150 ns; the driver is told how much it really is
std::uint64_t small_work(std::uint64_t x) { return measure::work(x, small_steps); }

// Item k costs ∝ k, and one in the middle a fifth of everything.
constexpr std::uint64_t skewed_items = 2000;
constexpr std::uint64_t steps_each = 100;
constexpr std::uint64_t sum_of_others = steps_each * skewed_items * (skewed_items - 1) / 2;
std::uint64_t steps_of(std::uint64_t k) {
    return k == skewed_items / 2 ? sum_of_others / 4 : k * steps_each;
}
std::uint64_t skewed_work(std::uint64_t k) { return measure::work(k, steps_of(k)); }

/// Half of all steps to each of two plain threads.
double best_schedule() {
    std::uint64_t all = 0;
    for (std::uint64_t k = 0; k < skewed_items; ++k)
        all += steps_of(k);
    return measure::timed([&] {
        std::vector<std::jthread> running;
        for (unsigned t = 0; t < threads; ++t)
            running.emplace_back([&] {
                const volatile auto result = measure::work(1, all / threads);
                static_cast<void>(result);
            });
    });
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    const int rounds = arguments.quick ? 3 : 9;

    std::vector<int> numbers(1'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    std::vector<std::uint64_t> seeds(500'000);
    std::iota(seeds.begin(), seeds.end(), 1U);
    std::vector<std::uint64_t> items(skewed_items);
    std::iota(items.begin(), items.end(), 0U);

    const auto row = [&](const std::string& name, auto&& f) {
        if (arguments.wants(name))
            measure::report(
                name, measure::median_of(rounds, [&] { return measure::timed(f); }) / 1e6, "ms");
    };

    for (const std::string backend : {"process", "dummy"}) {
        if (!arguments.wants(backend)) continue;
        {
            coproc::pool pool{{.workers = threads, .backend = backend}};
            row(backend + ".map_1e6", [&] { pool.map(plus_thousand, numbers); });
            row(backend + ".map_small_work", [&] { pool.map(small_work, seeds); });
            row(backend + ".map_skewed_2", [&] { pool.map(skewed_work, items); });
        }
        coproc::pool pool{{.workers = 4, .backend = backend}};
        row(backend + ".map_skewed_4", [&] { pool.map(skewed_work, items); });
    }

    if (arguments.wants("floor"))
        measure::report("floor.best_schedule", measure::median_of(rounds, best_schedule) / 1e6,
                        "ms");
    row("serial.map_small_work", [&] {
        std::vector<std::uint64_t> out(seeds.size());
        for (std::size_t i = 0; i < seeds.size(); ++i)
            out[i] = small_work(seeds[i]);
    });
#ifdef COPROC_HAS_TBB
    const oneapi::tbb::global_control limit{oneapi::tbb::global_control::max_allowed_parallelism,
                                            threads};
    const auto parallel = [](auto* f, const auto& in) {
        auto out = in;
        oneapi::tbb::parallel_for(std::size_t{0}, in.size(),
                                  [&](std::size_t i) { out[i] = f(in[i]); });
    };
    row("tbb.map_1e6", [&] { parallel(plus_thousand, numbers); });
    row("tbb.map_small_work", [&] { parallel(small_work, seeds); });
    row("tbb.map_skewed", [&] { parallel(skewed_work, items); });
#else
    measure::remark("missing: oneTBB was not found when the benchmarks were built");
#endif
}
