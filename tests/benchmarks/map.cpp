// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Maps: next to no work, little work, and work that is badly distributed, beside oneTBB's
// parallel_for and the best schedule that two threads could have run, in turns.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#ifdef COPROC_HAS_TBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#endif

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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
void best_schedule() {
    std::uint64_t all = 0;
    for (std::uint64_t k = 0; k < skewed_items; ++k)
        all += steps_of(k);
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t)
        running.emplace_back([&] {
            const volatile auto result = measure::work(1, all / threads);
            static_cast<void>(result);
        });
}

struct contender {
    std::string name;
    std::function<void()> run;
};

/// In turns, so that a slow minute of the machine meets all of them. Each turn begins with a run
/// that does not count, and which finds the threads of the one before still looking for work.
void in_turns(const measure::arguments& arguments, std::vector<contender> contenders) {
    std::erase_if(contenders, [&](const contender& c) { return !arguments.wants(c.name); });
    std::vector<std::vector<double>> samples(contenders.size());
    for (int round = 0; round < (arguments.quick ? 3 : 9); ++round) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            contenders[i].run();
            samples[i].push_back(measure::timed(contenders[i].run));
        }
    }
    for (std::size_t i = 0; i < contenders.size(); ++i)
        measure::report(contenders[i].name, measure::median(std::move(samples[i])) / 1e6, "ms");
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};

    std::vector<int> numbers(1'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    std::vector<std::uint64_t> seeds(500'000);
    std::iota(seeds.begin(), seeds.end(), 1U);
    std::vector<std::uint64_t> items(skewed_items);
    std::iota(items.begin(), items.end(), 0U);

    std::vector<contender> no_work;
    std::vector<contender> small_works{{"serial.map_small_work", [&] {
                                            std::vector<std::uint64_t> out(seeds.size());
                                            for (std::size_t i = 0; i < seeds.size(); ++i)
                                                out[i] = small_work(seeds[i]);
                                        }}};
    std::vector<contender> skewed{{"floor.best_schedule", best_schedule}};

    std::deque<coproc::pool> pools;
    for (const std::string backend : {"process", "dummy"}) {
        auto& two =
            pools.emplace_back(coproc::pool_options{.workers = threads, .backend = backend});
        no_work.push_back({backend + ".map_1e6", [&] { two.map(plus_thousand, numbers); }});
        small_works.push_back({backend + ".map_small_work", [&] { two.map(small_work, seeds); }});
        skewed.push_back({backend + ".map_skewed_2", [&] { two.map(skewed_work, items); }});
        auto& four = pools.emplace_back(coproc::pool_options{.workers = 4, .backend = backend});
        skewed.push_back({backend + ".map_skewed_4", [&] { four.map(skewed_work, items); }});
    }
#ifdef COPROC_HAS_TBB
    const oneapi::tbb::global_control limit{oneapi::tbb::global_control::max_allowed_parallelism,
                                            threads};
    const auto parallel = [](auto* f, const auto& in) {
        auto out = in;
        oneapi::tbb::parallel_for(std::size_t{0}, in.size(),
                                  [&](std::size_t i) { out[i] = f(in[i]); });
    };
    no_work.push_back({"tbb.map_1e6", [&] { parallel(plus_thousand, numbers); }});
    small_works.push_back({"tbb.map_small_work", [&] { parallel(small_work, seeds); }});
    skewed.push_back({"tbb.map_skewed", [&] { parallel(skewed_work, items); }});
#else
    measure::remark("missing: oneTBB was not found when the benchmarks were built");
#endif
    in_turns(arguments, std::move(no_work));
    in_turns(arguments, std::move(small_works));
    in_turns(arguments, std::move(skewed));
}
