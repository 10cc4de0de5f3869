// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// pool_options::affinity: what the system says, in the tasks, about where they may run.

#include <coproc/worker_affinity.hpp>

#include "pools.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <sched.h>
#include <set>

namespace {

using namespace coproc_test;
using cpu_list = std::vector<int>;

cpu_list cpus_of(pid_t thread) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(thread, sizeof set, &set) != 0) throw std::runtime_error{"no affinity"};
    cpu_list found;
    for (int number = 0; number != CPU_SETSIZE; ++number)
        if (CPU_ISSET(static_cast<std::size_t>(number), &set)) found.push_back(number);
    return found;
}

/// Those of the calling thread.
cpu_list own_cpus() { return cpus_of(0); }

/// Of a thread of this program; none if there is no such thread.
cpu_list cpus_of_thread(const std::string& name) {
    for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::string its_name;
        std::getline(std::ifstream{thread.path() / "comm"}, its_name);
        if (its_name == name) return cpus_of(std::stoi(thread.path().filename().string()));
    }
    return {};
}

/// The calling thread may use one CPU only, for a while.
class confined {
public:
    explicit confined(int number) {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(number), &one);
        REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    }
    confined(const confined&) = delete;
    confined& operator=(const confined&) = delete;
    ~confined() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_{};
};

struct seen {
    int pid = 0;
    cpu_list cpus;
};

/// What as many tasks see as there are workers, each of which runs one.
std::vector<seen> look(coproc::pool& pool) {
    const auto all = static_cast<int>(pool.workers());
    const signs met;
    std::vector<coproc::async_result<seen>> results;
    for (int i = 0; i != all; ++i)
        results.push_back(pool.apply_async(
            [](const std::string& path, int number, int expected) {
                raise_sign(path + std::to_string(number));
                for (int other = 0; other != expected; ++other)
                    await_sign(path + std::to_string(other));
                return seen{::getpid(), own_cpus()};
            },
            met.path("task"), i, all));
    std::vector<seen> found;
    for (auto& result : results)
        found.push_back(result.get(patience));
    return found;
}

/// How many workers each CPU has; a worker that has several counts as a failure.
std::map<int, int> workers_by_cpu(const std::vector<seen>& workers) {
    std::map<int, int> count;
    for (const auto& worker : workers) {
        REQUIRE(worker.cpus.size() == 1);
        ++count[worker.cpus.front()];
    }
    return count;
}

coproc::pool_options bound(const std::string& backend, unsigned workers,
                           coproc::worker_affinity how = coproc::worker_affinity::cpu) {
    auto options = on(backend, workers);
    options.affinity = how;
    return options;
}

bool all_among(const cpu_list& some, const cpu_list& all) {
    return std::ranges::includes(all, some);
}

} // namespace

TEST_CASE("affinity: without it workers run where the program does") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const auto all = own_cpus();
    coproc::pool pool{on(backend)};
    for (const auto& worker : look(pool))
        CHECK(worker.cpus == all);
}

TEST_CASE("affinity: a CPU each, while there are enough, and in turns beyond") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const auto all = own_cpus();
    for (const std::size_t n :
         {std::size_t{1}, std::size_t{2}, std::min<std::size_t>(all.size() + 1, 9)}) {
        coproc::pool pool{bound(backend, static_cast<unsigned>(n))};
        const auto by_cpu = workers_by_cpu(look(pool));
        CHECK(by_cpu.size() == std::min(n, all.size()));
        for (const auto& [number, workers] : by_cpu) {
            CHECK(std::ranges::binary_search(all, number));
            CHECK(workers <= static_cast<int>((n + all.size() - 1) / all.size()));
        }
    }
}

TEST_CASE("affinity: with every start method") {
    const auto all = own_cpus();
    for (const auto method : {coproc::start_method::spawn, coproc::start_method::forkserver,
                              coproc::start_method::fork}) {
        CAPTURE(coproc::to_string(method));
        auto options = bound("process", 2);
        options.start = method;
        coproc::pool pool{options};
        CHECK(workers_by_cpu(look(pool)).size() == std::min<std::size_t>(2, all.size()));
    }
    CHECK(own_cpus() == all);
}

TEST_CASE("affinity: whoever takes a worker's place has its CPU") {
    const auto by_pid = [](const std::vector<seen>& workers) {
        std::map<int, int> cpu_of;
        for (const auto& worker : workers)
            cpu_of[worker.pid] = worker.cpus.at(0);
        return cpu_of;
    };
    auto options = bound("process", 2);
    options.start = GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver,
                             coproc::start_method::fork);
    coproc::pool pool{options};
    const auto before = by_pid(look(pool));
    REQUIRE(before.size() == 2);
    const auto [killed, its_cpu] = *before.begin();
    const auto [other, other_cpu] = *std::next(before.begin());
    // Not from a task: whoever starts the next one may be bound to something else.
    const confined here{other_cpu};
    ::kill(killed, SIGKILL);
    REQUIRE(eventually([&] { return pool.stats().workers_started == 3; }));
    const auto after = by_pid(look(pool));
    REQUIRE(after.size() == 2);
    CHECK(after.at(other) == other_cpu);
    for (const auto& [pid, number] : after)
        if (pid != other) CHECK(number == its_cpu);
}

TEST_CASE("affinity: also when workers are replaced after so many tasks") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = bound(backend, 2);
    options.max_tasks_per_worker = 1;
    coproc::pool pool{options};
    const auto first = workers_by_cpu(look(pool));
    for (int i = 0; i != 3; ++i)
        CHECK(workers_by_cpu(look(pool)) == first);
}

TEST_CASE("affinity: the thread that makes the pool says which CPUs may be used") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const auto how = GENERATE(coproc::worker_affinity::cpu, coproc::worker_affinity::node);
    const int last = own_cpus().back();
    std::optional<coproc::pool> pool;
    {
        const confined here{last};
        pool.emplace(bound(backend, 2, how));
    }
    for (const auto& worker : look(*pool))
        CHECK(worker.cpus == cpu_list{last});
}

TEST_CASE("affinity: by node") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const auto all = own_cpus();
    coproc::pool pool{bound(backend, 2, coproc::worker_affinity::node)};
    const auto workers = look(pool);
    for (const auto& worker : workers) {
        CHECK_FALSE(worker.cpus.empty());
        CHECK(all_among(worker.cpus, all));
    }
    if (!std::filesystem::exists("/sys/devices/system/node/node1"))
        for (const auto& worker : workers)
            CHECK(worker.cpus == all);
}

TEST_CASE("affinity: what a task starts is bound like its worker") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{bound(backend, 1)};
    CHECK(pool.apply(&coproc::cpu_count) == 1);
    const auto mine = pool.apply(&own_cpus);
    CHECK(mine.size() == 1);
    const auto inner = [](const std::string& name) {
        coproc::pool nested{on(name, 0)};
        if (nested.workers() != 1) throw std::runtime_error{"more workers than CPUs"};
        return nested.apply(&own_cpus);
    };
    CHECK(pool.apply(inner, "process") == mine);
    CHECK(pool.apply(inner, "dummy") == mine);
}

TEST_CASE("affinity: threads of the library are not bound with a worker that needs them first") {
    const auto all = own_cpus();
    coproc::pool pool{bound("dummy", 1)};
    cpu_list callbacks;
    gate called;
    pool.apply_async([] { return 1; }).then([&](int) {
        callbacks = own_cpus();
        called.set();
    });
    REQUIRE(called.wait());
    CHECK(callbacks == all);
    CHECK(pool.apply([] { return coproc::pool{on("process", 1)}.apply([] { return 1; }); }) == 1);
    CHECK(cpus_of_thread("coproc-reactor") == all);
}

TEST_CASE("affinity: OpenMP gets as many threads as the worker has CPUs") {
    const char* const set = std::getenv("OMP_NUM_THREADS");
    const std::string before = set != nullptr ? set : "";
    ::unsetenv("OMP_NUM_THREADS");
    for (const auto method : {coproc::start_method::spawn, coproc::start_method::fork}) {
        auto options = bound("process", 1);
        options.start = method;
        coproc::pool pool{options};
        CHECK(pool.apply([] {
            const char* const threads = std::getenv("OMP_NUM_THREADS");
            return std::string{threads != nullptr ? threads : ""};
        }) == "1");
    }
    if (set != nullptr) ::setenv("OMP_NUM_THREADS", before.c_str(), 1);
}
