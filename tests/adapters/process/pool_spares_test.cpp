// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Workers that are started before a place is free for them.

#include "pool_faults.hpp"

#include <set>

using namespace coproc_test;

namespace {

struct late_discovery : std::runtime_error {
    explicit late_discovery(const std::string& what = {}) : std::runtime_error{what} {}
};

void discover() { throw late_discovery{"late"}; }

/// The children that this process has now and did not have before.
class newcomers {
public:
    newcomers() {
        const auto now = children();
        before_.insert(now.begin(), now.end());
    }
    [[nodiscard]] std::set<pid_t> now() const {
        std::set<pid_t> found;
        for (const pid_t pid : children())
            if (!before_.contains(pid)) found.insert(pid);
        return found;
    }
    [[nodiscard]] bool become(std::size_t number) const {
        return eventually([&] { return now().size() == number; });
    }

private:
    std::set<pid_t> before_;
};

bool has_spares(const coproc::pool& pool, std::size_t number) {
    return eventually([&] { return pool.stats().spares == number; });
}

/// The one process beside those that have had tasks, which may be about to end; else 0.
pid_t spare_of(const coproc::pool& pool, const newcomers& started,
               const std::set<pid_t>& have_served) {
    if (!has_spares(pool, 1)) return 0;
    auto others = started.now();
    for (const pid_t pid : have_served)
        others.erase(pid);
    return others.size() == 1 ? *others.begin() : 0;
}

/// The pid that was in service, which is gone then.
pid_t lose_worker(coproc::pool& pool) {
    auto doomed = pool.apply_async(&perish, way::kill);
    try {
        doomed.get(patience);
    } catch (const coproc::worker_lost_error& e) {
        return e.pid();
    }
    return 0;
}

coproc::pool_options with_spares(std::optional<unsigned> spares, unsigned workers = 1) {
    auto options = on("process", workers);
    options.spare_workers = spares;
    return options;
}

} // namespace

TEST_CASE("A pool that loses no worker has no spare") {
    const newcomers started;
    coproc::pool pool{on("process")};
    CHECK(ailment(pool).empty());
    CHECK(pool.stats().spares == 0);
    CHECK(started.now().size() == 2);
}

TEST_CASE("After a loss the next worker is started ahead, and takes the next place") {
    const newcomers started;
    coproc::pool pool{on("process", 1)};
    const pid_t first = pool.apply(own_pid);
    CHECK(lose_worker(pool) == first);
    pid_t serving = pool.apply(own_pid);
    std::set<pid_t> have_served{first, serving};
    for (int i = 0; i < 5; ++i) {
        const pid_t spare = spare_of(pool, started, have_served);
        REQUIRE(spare != 0);
        CHECK(lose_worker(pool) == serving);
        serving = pool.apply(own_pid);
        CHECK(serving == spare);
        have_served.insert(serving);
    }
    // A spare is not counted among the workers.
    const auto stats = pool.stats();
    CHECK(stats.workers == 1);
    CHECK(stats.workers_started == 7);
    CHECK(stats.workers_lost == 6);
    CHECK(ends(pool));
    CHECK(started.become(0));
}

// The descriptor of the one that has ended has an event left when that of its successor is watched.
TEST_CASE("The end of a worker is not taken for that of its successor") {
    const auto spares = GENERATE(0U, 1U);
    CAPTURE(spares);
    const captured_log log;
    coproc::pool pool{with_spares(spares)};
    for (std::size_t losses = 1; losses <= 20; ++losses) {
        const pid_t lost = lose_worker(pool);
        const pid_t next = pool.apply(own_pid);
        CHECK(lost != next);
        CHECK(pool.apply(own_pid) == next);
        const auto stats = pool.stats();
        CHECK(stats.workers_lost == losses);
        CHECK(stats.workers_started == losses + 1);
    }
    CHECK(ends(pool));
    CHECK(log.count(coproc::log_kind::worker_restarted, "could not be started") == 0);
}

TEST_CASE("Spares that end together with the worker are no failures to start") {
    const newcomers started;
    const captured_log log;
    coproc::pool pool{with_spares(6)};
    for (int i = 0; i < 3; ++i) {
        pool.apply(own_pid);
        REQUIRE(has_spares(pool, 6));
        for (const pid_t pid : started.now())
            ::kill(pid, SIGKILL);
        CHECK(eventually([&] { return pool.stats().workers_lost == std::uint64_t(i) + 1; }));
    }
    CHECK(ailment(pool).empty());
    CHECK(log.count(coproc::log_kind::worker_restarted, "could not be started") == 0);
    CHECK(log.count(coproc::log_kind::pool_broken) == 0);
}

TEST_CASE("A task that is stopped and a worker that has done its share make way for a spare") {
    const newcomers started;
    SECTION("a timeout, a cancellation") {
        coproc::pool pool{with_spares(1)};
        std::set<pid_t> have_served{pool.apply(own_pid)};
        const auto b = board::make();
        for (int i = 0; i < 4; ++i) {
            const pid_t spare = spare_of(pool, started, have_served);
            REQUIRE(spare != 0);
            auto stuck = i % 2 == 0 ? pool.with({.timeout = 50ms}).apply_async(&never_end, b, 0U)
                                    : pool.apply_async(&never_end, b, 1U);
            if (i % 2 != 0) {
                CHECK(eventually([&] { return b[1].load() != 0; }));
                CHECK(stuck.cancel());
                b[1] = 0;
            }
            const auto error = failure_of(stuck);
            CHECK((is<coproc::timeout_error>(error) || is<coproc::cancelled_error>(error)));
            CHECK(pool.apply(own_pid) == spare);
            have_served.insert(spare);
        }
    }
    SECTION("recycled") {
        auto options = with_spares({});
        options.max_tasks_per_worker = 1;
        coproc::pool pool{options};
        std::set<pid_t> seen;
        for (int i = 0; i < 20; ++i)
            seen.insert(pool.apply(own_pid));
        CHECK(seen.size() == 20);
        CHECK(ends(pool));
    }
    CHECK(started.become(0));
}

TEST_CASE("How many spares there are can be said") {
    const newcomers started;
    SECTION("none") {
        coproc::pool pool{with_spares(0)};
        lose_worker(pool);
        CHECK(ailment(pool).empty());
        CHECK(pool.stats().spares == 0);
        CHECK(started.now().size() == 1);
    }
    SECTION("some, from the beginning, also when several are needed at once") {
        coproc::pool pool{with_spares(3, 2)};
        pool.apply(own_pid);
        for (int i = 0; i < 3; ++i) {
            CHECK(has_spares(pool, 3));
            std::vector<coproc::async_result<void>> doomed;
            for (int n = 0; n < 8; ++n)
                doomed.push_back(pool.apply_async(&perish, way::kill));
            for (auto& d : doomed)
                CHECK(is<coproc::worker_lost_error>(failure_of(d)));
            CHECK(ailment(pool).empty());
        }
    }
    SECTION("threads have none") {
        auto options = with_spares(2);
        options.backend = "dummy";
        coproc::pool pool{options};
        CHECK(ailment(pool).empty());
        CHECK(pool.stats().spares == 0);
        CHECK(started.now().empty());
    }
    SECTION("nor have workers that are bound to CPUs, or forks") {
        auto options = with_spares(2);
        if (GENERATE(true, false))
            options.affinity = coproc::worker_affinity::cpu;
        else
            options.start = coproc::start_method::fork;
        coproc::pool pool{options};
        lose_worker(pool);
        CHECK(ailment(pool).empty());
        CHECK(pool.stats().spares == 0);
        CHECK(started.now().size() == 1);
    }
    CHECK(started.become(0));
}

TEST_CASE("More spares than make sense are refused") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = on(backend, 1);
    options.spare_workers = 100'000;
    CHECK(is<std::invalid_argument>(failure_of([&] { const coproc::pool pool{options}; })));
}

TEST_CASE("Spares of a forkserver take places, too") {
    auto options = with_spares(1);
    options.start = coproc::start_method::forkserver;
    coproc::pool pool{options};
    std::set<pid_t> seen;
    for (int i = 0; i < 5; ++i) {
        seen.insert(pool.apply(own_pid));
        CHECK(has_spares(pool, 1));
        CHECK(lose_worker(pool) != 0);
    }
    CHECK(seen.size() == 5);
    CHECK(ends(pool));
}

TEST_CASE("A spare runs the initializer when it takes its place, and knows what is known then") {
    const newcomers started;
    const auto b = board::make();
    auto options = with_spares(1);
    options.initializer = coproc::job{+[](board shared) { ++shared[0]; }, b};
    coproc::pool pool{options};
    pool.apply(own_pid);
    REQUIRE(has_spares(pool, 1));
    CHECK(b[0].load() == 1);
    coproc::register_exception<late_discovery>();
    lose_worker(pool);
    CHECK_THROWS_AS(pool.apply(&discover), late_discovery);
    CHECK(b[0].load() == 2);
}

TEST_CASE("A spare that ends before it has a place is not missed") {
    const newcomers started;
    coproc::pool pool{with_spares(2)};
    const pid_t serving = pool.apply(own_pid);
    REQUIRE(has_spares(pool, 2));
    auto processes = started.now();
    processes.erase(serving);
    const int signal = GENERATE(SIGKILL, SIGSTOP);
    ::kill(*processes.begin(), signal);
    if (signal == SIGKILL) {
        CHECK(has_spares(pool, 1));
        CHECK(started.become(2)); // nobody but the pool can have reaped it
        CHECK(pool.apply(own_pid) == serving);
        CHECK(lose_worker(pool) == serving);
        CHECK(pool.apply(own_pid) == *processes.rbegin());
    } else { // it does not answer, and has the next place
        CHECK(lose_worker(pool) == serving);
        CHECK(has_spares(pool, 1));
        auto waiting = pool.apply_async(own_pid);
        ::kill(*processes.begin(), SIGKILL);
        CHECK(waiting.get(patience) == *processes.rbegin());
    }
    CHECK(pool.stats().workers_lost == 1);
    pool.terminate();
    CHECK(pool.join(patience));
    CHECK(started.become(0));
}

TEST_CASE("The end of a pool is the end of its spares") {
    const newcomers started;
    const bool stopped = GENERATE(false, true);
    const int end = GENERATE(0, 1, 2);
    CAPTURE(stopped, end);
    {
        coproc::pool pool{with_spares(2)};
        const pid_t serving = pool.apply(own_pid);
        REQUIRE(has_spares(pool, 2));
        for (const pid_t pid : started.now())
            if (stopped && pid != serving) ::kill(pid, SIGSTOP);
        if (end == 0) pool.close();
        if (end == 1) pool.terminate();
        if (end != 2) CHECK(pool.join(patience));
    }
    CHECK(started.become(0));
}

TEST_CASE("A pool may end while a spare is being started") {
    const newcomers started;
    for (int i = 0; i < 30; ++i) {
        coproc::pool pool{with_spares(2)};
        if (i % 3 == 0) pool.apply(own_pid);
        if (i % 3 == 1) {
            lose_worker(pool);
            pool.close();
        }
        if (i % 2 == 0) pool.terminate();
    }
    CHECK(started.become(0));
}
