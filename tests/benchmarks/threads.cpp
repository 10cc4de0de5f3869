// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What others do with threads for the dummy backend to be compared with: asio::thread_pool and
// oneTBB.

#include "measure.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#ifdef COPROC_HAS_TBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>
#endif

#include <atomic>
#include <future>
#include <string>

namespace {

namespace asio = boost::asio;
constexpr unsigned threads = 2;

int increment(int x) { return x + 1; }

double posted(asio::thread_pool& pool, int tasks) {
    std::atomic<int> left{tasks};
    const double took = measure::timed([&] {
        for (int i = 0; i < tasks; ++i)
            asio::post(pool, [&left, i] {
                const volatile int result = increment(i);
                static_cast<void>(result);
                if (left.fetch_sub(1) == 1) left.notify_one();
            });
        for (int n = left.load(); n != 0; n = left.load())
            left.wait(n);
    });
    return took / tasks;
}

double packaged(asio::thread_pool& pool, int tasks) {
    std::vector<std::future<int>> results;
    results.reserve(static_cast<std::size_t>(tasks));
    const double took = measure::timed([&] {
        for (int i = 0; i < tasks; ++i) {
            std::packaged_task<int()> task{[i] { return increment(i); }};
            results.push_back(task.get_future());
            asio::post(pool, std::move(task));
        }
        for (auto& r : results)
            r.get();
    });
    return took / tasks;
}

double round_trips(asio::thread_pool& pool, int rounds) {
    std::vector<double> samples;
    for (int i = 0; i < rounds; ++i)
        samples.push_back(measure::timed([&] {
            std::packaged_task<int()> task{[i] { return increment(i); }};
            auto result = task.get_future();
            asio::post(pool, std::move(task));
            result.get();
        }));
    return measure::median(std::move(samples));
}

} // namespace

int main(int argc, char** argv) {
    const measure::arguments arguments{argc, argv};
    measure::keep_freed_memory();
    const int tasks = arguments.count(100'000);
    const auto row = [&](const std::string& name, auto&& f) {
        if (arguments.wants(name)) measure::report(name, measure::median_of(5, f), "ns");
    };

    asio::thread_pool pool{threads};
    row("asio.post", [&] { return posted(pool, tasks); });
    row("asio.packaged_task", [&] { return packaged(pool, tasks); });
    row("asio.round_trip", [&] { return round_trips(pool, tasks / 10); });
    pool.join();

#ifdef COPROC_HAS_TBB
    const oneapi::tbb::global_control limit{oneapi::tbb::global_control::max_allowed_parallelism,
                                            threads};
    std::vector<int> results(static_cast<std::size_t>(tasks));
    row("tbb.task_group", [&] {
        const double took = measure::timed([&] {
            oneapi::tbb::task_group group;
            for (int i = 0; i < tasks; ++i)
                group.run([&results, i] { results[static_cast<std::size_t>(i)] = increment(i); });
            group.wait();
        });
        return took / tasks;
    });
#else
    measure::remark("missing: oneTBB was not found when the benchmarks were built");
#endif
}
