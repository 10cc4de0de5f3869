// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Many tasks, many threads, many pools: all is done, and all is given back.

#include "pool_faults.hpp"

#include <os/limits.hpp>

#include <cstdlib>
#include <map>

using namespace coproc_test;

namespace {

int nested_sum(int depth, int width) {
    if (depth == 0) return 1;
    coproc::pool inner{2};
    int sum = 0;
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < width; ++i)
        handles.push_back(inner.apply_async(&nested_sum, depth - 1, width));
    for (auto& h : handles)
        sum += h.get();
    return sum;
}

std::string omp_threads() {
    const char* value = std::getenv("OMP_NUM_THREADS");
    return value != nullptr ? value : "(unset)";
}

} // namespace

TEST_CASE("thousands of tasks from hundreds of threads are all done, once") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 3)};
    const auto b = board::make();
    const int threads = sanitized ? 60 : 200;
    constexpr int each = 50;
    std::atomic<int> wrong{0};
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t)
        all.emplace_back([&, t] {
            std::vector<coproc::async_result<int>> handles;
            for (int i = 0; i < each; ++i)
                handles.push_back(pool.with({.priority = i % 3})
                                      .apply_async(
                                          [](const board& c, int x) {
                                              ++c[static_cast<std::size_t>(x)];
                                              return x + 1;
                                          },
                                          b, t * each + i));
            for (int i = 0; i < each; ++i) {
                try {
                    if (handles[static_cast<std::size_t>(i)].get(patience) != t * each + i + 1)
                        ++wrong;
                } catch (const std::exception&) {
                    ++wrong;
                }
            }
        });
    for (auto& t : all)
        t.join();
    CHECK(wrong == 0);
    const auto count = static_cast<std::size_t>(threads) * each;
    int not_once = 0;
    for (std::size_t i = 0; i < count; ++i)
        not_once += b[i].load() == 1 ? 0 : 1;
    CHECK(not_once == 0);
    const auto stats = pool.stats();
    CHECK(stats.completed == count);
    CHECK(stats.queued == 0);
    CHECK(stats.running == 0);
    CHECK(ends(pool));
}

TEST_CASE("tens of thousands of queued tasks come out") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const int count = sanitized ? 5000 : 30'000;
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < count; ++i)
        handles.push_back(pool.apply_async(&twice, i));
    int wrong = 0;
    for (int i = 0; i < count; ++i)
        wrong += handles[static_cast<std::size_t>(i)].get(patience) == 2 * i ? 0 : 1;
    CHECK(wrong == 0);
    CHECK(pool.map_async(&twice, std::views::iota(0, 200'000)).get(patience).back() == 399'998);
    CHECK(ends(pool));
}

TEST_CASE("hundreds of pools made and dropped leave nothing behind") {
    const auto method = GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver,
                                 coproc::start_method::fork);
    auto options = on("process");
    options.start = method;
    const captured_log silence;
    const auto one_round = [&](int i) {
        coproc::pool pool{options};
        if (i % 3 == 0) return; // dropped while its workers start
        CHECK(pool.apply_async(&twice, i).get(patience) == 2 * i);
        if (i % 3 == 1) CHECK(ends(pool));
    };
    for (int i = 0; i < 5; ++i)
        one_round(i);
    const auto settled = [](auto count) { // what ends in the background has ended
        auto former = count();
        eventually([&] {
            ::usleep(20'000);
            return std::exchange(former, count()) == former;
        });
        return former;
    };
    const auto descriptors = settled(&descriptor_count);
    const auto processes = children().size();
    const auto memory = coproc::detail::os::resident_bytes();
    const int rounds = sanitized ? 25 : 120;
    for (int i = 0; i < rounds; ++i)
        one_round(i);
    CHECK(eventually([&] { return descriptor_count() <= descriptors; }));
    CHECK(eventually([&] { return children().size() <= processes; }));
    if (!sanitized) CHECK(coproc::detail::os::resident_bytes() < memory + (std::size_t{16} << 20));
}

TEST_CASE("many pools of threads leave no thread and no memory behind") {
    const auto threads = [] {
        std::size_t n = 0;
        for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) {
            static_cast<void>(entry);
            ++n;
        }
        return n;
    };
    coproc::pool{on("dummy")}.apply(&twice, 1);
    const auto before = threads();
    for (int i = 0; i < 300; ++i) {
        coproc::pool pool{on("dummy", 4)};
        if (i % 2 == 0) CHECK(pool.apply(&twice, i) == 2 * i);
    }
    CHECK(eventually([&] { return threads() <= before; }));
}

TEST_CASE("several pools live side by side") {
    std::vector<std::unique_ptr<coproc::pool>> pools;
    for (int i = 0; i < 12; ++i)
        pools.push_back(std::make_unique<coproc::pool>(on(i % 3 == 0 ? "dummy" : "process", 1)));
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < 1200; ++i)
        handles.push_back(
            pools[static_cast<std::size_t>(i) % pools.size()]->apply_async(&twice, i));
    for (int i = 0; i < 1200; ++i)
        CHECK(handles[static_cast<std::size_t>(i)].get(patience) == 2 * i);
    for (auto& p : pools)
        p->close();
    for (auto& p : pools)
        CHECK(p->join(patience));
}

TEST_CASE("pools nest") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto h = pool.apply_async(&nested_sum, 2, 2);
    CHECK(h.get(patience) == 4);
    CHECK(ends(pool));
}

TEST_CASE("a nested pool's errors come all the way up, and its deaths harm nobody outside") {
    coproc::pool pool{on("process")};
    auto thrown = pool.apply_async([] {
        coproc::pool inner{1};
        inner.apply([] { perish(way::error); });
    });
    CHECK(check_death(failure_of(thrown), way::error) == "");
    auto survived = pool.apply_async([] {
        coproc::pool inner{1};
        try {
            inner.apply([] { perish(way::segv); });
        } catch (const coproc::worker_lost_error&) {
            return inner.apply(&twice, 4);
        }
        return 0;
    });
    CHECK(survived.get(patience) == 8);
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("workers share the CPUs for OpenMP unless the user has decided") {
    for (const auto method : {coproc::start_method::spawn, coproc::start_method::forkserver,
                              coproc::start_method::fork}) {
        auto options = on("process", 2);
        options.start = method;
        ::unsetenv("OMP_NUM_THREADS");
        coproc::pool pool{options};
        CHECK(pool.apply(&omp_threads) == std::to_string(std::max(1U, coproc::cpu_count() / 2)));
        ::setenv("OMP_NUM_THREADS", "17", 1);
        if (method !=
            coproc::start_method::forkserver) { // its environment is that of the time when it began
            coproc::pool other{options};
            CHECK(other.apply(&omp_threads) == "17");
        }
        ::unsetenv("OMP_NUM_THREADS");
    }
}

TEST_CASE("the lines that workers print arrive whole") {
    const auto method = GENERATE(as<std::string>{}, "spawn", "forkserver", "fork");
    CAPTURE(method);
    program p{"prints", {method}};
    std::istringstream text{p.rest()};
    CHECK(p.wait() == 0);
    std::map<int, int> lines;
    int torn = 0;
    for (std::string line; std::getline(text, line);) {
        const auto colon = line.find(':');
        if (!line.starts_with("<") || colon == std::string::npos) {
            ++torn;
            continue;
        }
        const int task = std::stoi(line.substr(1));
        const auto wanted = "<" + std::to_string(task) + ":" +
                            std::string(200, static_cast<char>('a' + task % 26)) + ">";
        if (line == wanted)
            ++lines[task];
        else
            ++torn;
    }
    CHECK(torn == 0);
    CHECK(lines.size() == 40);
    for (const auto& [task, n] : lines)
        CHECK(n == 20);
}

TEST_CASE("progress counts items, not chunks") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::mutex mutex;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> reports;
    auto h = pool.with({.chunk_size = 7})
                 .map_async(
                     [](int x) {
                         ::usleep(1000);
                         return x;
                     },
                     std::views::iota(0, 200));
    h.on_progress([&](std::uint64_t done, std::uint64_t total) {
        const std::scoped_lock lock{mutex};
        reports.emplace_back(done, total);
    });
    CHECK(h.get(patience).size() == 200);
    CHECK(eventually([&] {
        const std::scoped_lock lock{mutex};
        return !reports.empty() && reports.back().first == 200;
    }));
    const std::scoped_lock lock{mutex};
    std::uint64_t former = 0;
    for (const auto& [done, total] : reports) {
        CHECK(total == 200);
        CHECK(done >= former);
        former = done;
    }
    const auto stats = pool.stats();
    CHECK(stats.completed == 200);
}

TEST_CASE("the tail of a skewed map is split, not stuck behind one chunk") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 4)};
    const auto b = board::make();
    // The last sixteen items wait until three have been begun at the same time: they must not sit
    // in one chunk.
    auto h = pool.map_async(
        coproc::bind_front(
            [](const board& c, int x) {
                if (x >= 3984) {
                    ++c[0];
                    const auto until = std::chrono::steady_clock::now() + patience;
                    while (c[0].load() < 3 && std::chrono::steady_clock::now() < until)
                        ::usleep(200);
                    return c[0].load() >= 3;
                }
                return true;
            },
            b),
        std::views::iota(0, 4000));
    const auto values = h.get(patience);
    CHECK(std::ranges::all_of(values, [](bool x) { return x; }));
    CHECK(ends(pool));
}

TEST_CASE("what waits behind a task that has become long is taken over by idle workers") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    // Short calls first, so that the pool stacks them.
    for (int i = 0; i < 200; ++i)
        CHECK(pool.apply(&twice, i) == 2 * i);
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < 40; ++i)
        handles.push_back(pool.apply_async(
            [](board c, int x) {
                if (x == 3) await_cell(c, 0); // until all others are done
                return x;
            },
            b, i));
    for (int i = 0; i < 40; ++i)
        if (i != 3) CHECK(handles[static_cast<std::size_t>(i)].get(patience) == i);
    b[0] = 1;
    CHECK(handles[3].get(patience) == 3);
    CHECK(ends(pool));
}

TEST_CASE("a pool that is gone has closed its descriptors, whatever its workers did last") {
    {
        coproc::pool{1}.apply([] {});
    } // what a program makes once
    const auto before = descriptor_count();
    for (int i = 0; i < 150; ++i) {
        {
            coproc::pool pool{2};
            if (i % 3 != 0) pool.apply([] {});
            if (i % 3 == 1) {
                pool.close();
                pool.join();
            }
        }
        REQUIRE(descriptor_count() == before);
    }
}
