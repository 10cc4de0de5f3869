// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A worker that dies, at whatever instruction, harms the task it was in and nothing else.

#include "pool_faults.hpp"

#include <src/channel_layout.hpp>

#include <dlfcn.h>
#include <fstream>
#include <future>
#include <map>
#include <random>
#include <set>
#include <sys/resource.h>
#include <thread>

using namespace coproc_test;
using coproc::worker_lost_error;

namespace {

/// A pool of processes beside which good tasks run while the bad ones do their worst.
class beset_pool {
public:
    explicit beset_pool(coproc::pool_options options) : pool{std::move(options)} {}

    void add_good(int n) {
        for (int i = 0; i < n; ++i, ++given_)
            good_.push_back(pool.apply_async(&twice, given_));
    }
    /// Empty if every good task has its result, but for one on each of the doomed, which are
    /// struck off then.
    std::string check_good(std::set<pid_t>* doomed = nullptr) {
        auto good = std::exchange(good_, {});
        given_ = 0;
        for (std::size_t i = 0; i < good.size(); ++i) {
            try {
                if (good[i].get(patience) != 2 * static_cast<int>(i)) return "a wrong result";
            } catch (const worker_lost_error& e) {
                if (doomed == nullptr || doomed->erase(e.pid()) == 0) return e.what();
            } catch (const std::exception& e) {
                return e.what();
            }
        }
        return {};
    }

    coproc::pool pool;

private:
    std::vector<coproc::async_result<int>> good_;
    int given_ = 0;
};

// --- types that die when they travel ------------------------------------------------------------------------------

template <way W>
struct dies_when_read {
    int value = 1;
    auto members() {
        if (coproc::detail::in_worker_process()) perish(W);
        return std::tie(value);
    }
};

template <way W>
int take(dies_when_read<W> x) {
    return x.value;
}

/// In the first pass its size is asked for, in the second it is written. `Pass` 3: never.
template <way W, int Pass>
struct dies_when_written {
    std::string before;
    struct fuse {
        int value = 0;
        auto members() {
            thread_local int pass = 0;
            if (coproc::detail::in_worker_process() && ++pass == Pass) {
                pass = 0;
                perish(W);
            }
            return std::tie(value);
        }
    } between;
    std::string after;
    auto members() { return std::tie(before, between, after); }
};

template <way W, int Pass>
dies_when_written<W, Pass> give(std::size_t bytes) {
    return {std::string(bytes, 'b'), {}, std::string(bytes, 'a')};
}

int die_at_once(way how) {
    perish(how);
    return 0;
}

template <template <way> class Call>
void for_each_way(beset_pool& beset) {
    const auto once = [&]<way W>() {
        CAPTURE(name_of(W));
        beset.add_good(10);
        auto bad = Call<W>::make(beset.pool);
        beset.add_good(10);
        CHECK(check_death(failure_of(bad), W) == "");
        CHECK(beset.check_good() == "");
    };
    once.template operator()<way::error>();
    once.template operator()<way::exit_0>();
    once.template operator()<way::exit_3>();
    once.template operator()<way::abort>();
    once.template operator()<way::segv>();
    once.template operator()<way::kill>();
}

template <way W>
struct in_argument {
    static auto make(coproc::pool& pool) { return pool.apply_async(&take<W>, dies_when_read<W>{}); }
};
template <way W>
struct while_running {
    static auto make(coproc::pool& pool) { return pool.apply_async(&die_at_once, W); }
};
template <way W>
struct in_size_of_result {
    static auto make(coproc::pool& pool) { return pool.apply_async(&give<W, 1>, std::size_t{10}); }
};
template <way W>
struct in_result {
    static auto make(coproc::pool& pool) { return pool.apply_async(&give<W, 2>, std::size_t{10}); }
};

// --- threads of a worker that end it --------------------------------------------------------------------------------

/// Starts a thread in the worker that ends it when told to. What a thread throws ends a process by
/// abort.
int arm(board b, std::size_t cell, way how) {
    std::thread{[b, cell, how] {
        while (b[cell].load(std::memory_order_relaxed) == 0)
            std::this_thread::yield();
        if (how == way::error) std::terminate();
        perish(how);
    }}.detach();
    return ::getpid();
}

/// Lights the fuse as its last act: the worker dies before, while or after it replies.
int arm_and_light(board b, std::size_t cell, way how) {
    const int pid = arm(b, cell, how);
    b[cell] = 1;
    return pid;
}

// --- counting tasks for the storms ------------------------------------------------------------------------------------

constexpr std::size_t pid_cells = 1000; // where workers note their pids
constexpr std::size_t pid_room = 64;
constexpr std::size_t run_cells = 2000; // how often each task ran

int counted(board b, std::size_t task) {
    ++b[run_cells + task];
    thread_local bool noted = false;
    if (!std::exchange(noted, true))
        b[pid_cells + static_cast<std::size_t>(::getpid()) % pid_room] = ::getpid();
    for (int i = 0; i < 2000; ++i)
        asm volatile("");
    return static_cast<int>(task);
}

} // namespace

TEST_CASE("a worker that dies while it reads an argument fails that task alone") {
    beset_pool beset{on("process")};
    for_each_way<in_argument>(beset);
    CHECK(ailment(beset.pool) == "");
    CHECK(ends(beset.pool));
}

TEST_CASE("a worker that dies in a task fails that task alone, however it was started") {
    auto options = on("process");
    options.start = GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver,
                             coproc::start_method::fork);
    beset_pool beset{options};
    for_each_way<while_running>(beset);
    CHECK(ailment(beset.pool) == "");
    const auto stats = beset.pool.stats();
    CHECK(stats.workers_lost == 5);
    CHECK(stats.failed == 6);
    CHECK(ends(beset.pool));
}

TEST_CASE("a worker that dies while it sizes or writes a result fails that task alone") {
    beset_pool beset{on("process")};
    for_each_way<in_size_of_result>(beset);
    for_each_way<in_result>(beset);
    CHECK(ailment(beset.pool) == "");
    CHECK(ends(beset.pool));
}

TEST_CASE("a worker that dies when it has just replied has replied, or its task is lost, and "
          "nothing else") {
    beset_pool beset{on("process")};
    const auto b = board::make();
    std::size_t cell = 0;
    std::set<pid_t> doomed; // a slow death (exit does a lot) may find them in one more task
    for (const auto how : all_ways) {
        CAPTURE(name_of(how));
        for (int round = 0; round < 5; ++round) {
            beset.add_good(5);
            auto last_words = beset.pool.apply_async(&arm_and_light, b, cell++, how);
            beset.add_good(5);
            try {
                doomed.insert(last_words.get(patience));
            } catch (const worker_lost_error&) {}
            CHECK(beset.check_good(&doomed) == "");
        }
    }
    CHECK(ailment(beset.pool) == "");
    CHECK(ends(beset.pool));
}

TEST_CASE("a worker that dies idle is replaced, and no task notices") {
    beset_pool beset{on("process")};
    const auto b = board::make();
    std::size_t cell = 0;
    for (const auto how : all_ways) {
        CAPTURE(name_of(how));
        auto armed = beset.pool.apply_async(&arm, b, cell, how);
        const pid_t pid = armed.get(patience);
        REQUIRE(eventually([&] { return beset.pool.stats().idle == 2; }));
        const auto lost = beset.pool.stats().workers_lost;
        b[cell++] = 1;
        REQUIRE(eventually([&] { return beset.pool.stats().workers_lost == lost + 1; }));
        CHECK(is_gone(pid));
        beset.add_good(10);
        CHECK(beset.check_good() == "");
    }
    CHECK(beset.pool.stats().failed == 0);
    CHECK(ailment(beset.pool) == "");
    CHECK(ends(beset.pool));
}

namespace {

/// Dies for the first `times` workers.
void fragile_start(board b, std::int64_t times, way how) {
    if (b[0]++ < times) perish(how);
}

} // namespace

TEST_CASE(
    "an initializer that dies a few times is tried again, and the tasks that wait do not notice") {
    for (const auto how : all_ways) {
        CAPTURE(name_of(how));
        const auto b = board::make();
        auto options = on("process");
        options.initializer = coproc::job{&fragile_start, b, std::int64_t{3}, how};
        beset_pool beset{options};
        beset.add_good(20);
        CHECK(beset.check_good() == "");
        CHECK(eventually([&] { return b[0].load() == 5; }));
        CHECK(ailment(beset.pool) == "");
        CHECK(ends(beset.pool));
    }
}

TEST_CASE("an initializer that always dies breaks the pool after a bounded number of starts") {
    for (const auto how : all_ways) {
        CAPTURE(name_of(how));
        const captured_log silence;
        const auto b = board::make();
        auto options = on("process");
        options.initializer = coproc::job{&fragile_start, b, std::int64_t{1'000'000}, how};
        coproc::pool pool{options};
        std::vector<coproc::async_result<int>> handles;
        for (int i = 0; i < 20; ++i)
            handles.push_back(pool.apply_async(&twice, i));
        for (auto& h : handles) {
            const auto error = failure_of(h);
            REQUIRE(error);
            INFO(text_of(error));
            if (how == way::error)
                CHECK_THAT(coproc::format_exception(error), ContainsSubstring("perished"));
            else
                CHECK_THAT(text_of(error), ContainsSubstring("in the initializer"));
        }
        const auto starts = b[0].load();
        CHECK(starts <= 20);
        auto late = pool.apply_async(&twice, 1);
        CHECK(failure_of(late));
        auto late_map = pool.map_async(&twice, std::vector{1, 2, 3});
        CHECK(failure_of(late_map));
        CHECK(ends(pool));
        CHECK(b[0].load() == starts);
    }
}

TEST_CASE("an initializer that throws shows its error on both backends") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const captured_log silence;
    const auto b = board::make();
    auto options = on(backend);
    options.initializer = coproc::job{&fragile_start, b, std::int64_t{1'000'000}, way::error};
    coproc::pool pool{options};
    auto h = pool.apply_async(&twice, 1);
    const auto error = failure_of(h);
    REQUIRE(error);
    CHECK_THAT(coproc::format_exception(error), ContainsSubstring("perished"));
    auto items = pool.imap(&twice, std::vector{1, 2, 3});
    CHECK(failure_of([&] { static_cast<void>(items.next(patience)); }));
    CHECK(b[0].load() <= 20);
    CHECK(ends(pool));
}

TEST_CASE("a worker that dies in the midst of writing 100 MB fails that task alone") {
    beset_pool beset{on("process")};
    constexpr std::size_t half = std::size_t{50} << 20;
    for (int round = 0; round < 3; ++round) {
        beset.add_good(20);
        auto big = beset.pool.apply_async(&give<way::kill, 2>, half);
        beset.add_good(20);
        CHECK(check_death(failure_of(big), way::kill) == "");
        CHECK(beset.check_good() == "");
    }
    auto whole = beset.pool.apply_async(&give<way::kill, 3>, half);
    const auto value = whole.get(patience);
    CHECK(value.before.size() + value.after.size() == 2 * half);
    CHECK(value.after.back() == 'a');
    CHECK(ends(beset.pool));
}

namespace {

/// Kills the worker that it is about to be sent to, in the midst of being written. The second pass
/// writes.
struct kills_its_reader {
    std::string before;
    struct fuse {
        std::int32_t pid = 0;
        auto members() {
            thread_local int pass = 0;
            if (!coproc::detail::in_worker_process() && pid != 0 && ++pass == 2) {
                pass = 0;
                ::kill(pid, SIGKILL);
            }
            return std::tie(pid);
        }
    } between;
    std::string after;
    auto members() { return std::tie(before, between, after); }
};

std::size_t length(kills_its_reader x) { return x.before.size() + x.after.size(); }

} // namespace

TEST_CASE("a worker that is killed while 100 MB are written to it loses nothing but itself") {
    coproc::pool pool{on("process", 1)};
    constexpr std::size_t half = std::size_t{50} << 20;
    for (int round = 0; round < 3; ++round) {
        const pid_t pid = pool.apply_async(&own_pid).get(patience);
        auto big = pool.with({.retries = 1})
                       .apply_async(
                           &length,
                           kills_its_reader{std::string(half, 'b'), {pid}, std::string(half, 'a')});
        CHECK(big.get(patience) == 2 * half);
        CHECK(pool.apply_async(&twice, 4).get(patience) == 8);
    }
    CHECK(ends(pool));
}

namespace {

int kill_a_neighbour(board b, std::size_t self, std::size_t all) {
    b[self] = ::getpid();
    while (b[(self + 1) % all].load() == 0)
        ::usleep(200);
    ::kill(static_cast<pid_t>(b[(self + 1) % all].load()), SIGKILL);
    return static_cast<int>(self);
}

} // namespace

TEST_CASE("workers that kill each other lose their tasks and are replaced") {
    coproc::pool pool{on("process", 4)};
    for (int round = 0; round < 5; ++round) {
        const auto b = board::make();
        std::vector<coproc::async_result<int>> handles;
        for (std::size_t i = 0; i < 4; ++i)
            handles.push_back(pool.with({.timeout = patience})
                                  .apply_async(&kill_a_neighbour, b, i, std::size_t{4}));
        int lost = 0;
        for (auto& h : handles) {
            const auto error = failure_of(h);
            if (!error) continue;
            ++lost;
            CHECK(check_death(error, way::kill) == "");
        }
        CHECK(lost >= 1);
        CHECK(ailment(pool) == "");
    }
    CHECK(ends(pool));
}

TEST_CASE("100 bad tasks among 100 good ones fail, each by itself") {
    auto options = on("process", 3);
    coproc::pool pool{options};
    std::vector<coproc::async_result<int>> good;
    std::vector<coproc::async_result<int>> bad;
    for (int i = 0; i < 100; ++i) {
        good.push_back(pool.apply_async(&twice, i));
        bad.push_back(pool.apply_async(&die_at_once,
                                       all_ways[static_cast<std::size_t>(i) % all_ways.size()]));
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(good[static_cast<std::size_t>(i)].get(patience) == 2 * i);
        const auto how = all_ways[static_cast<std::size_t>(i) % all_ways.size()];
        CAPTURE(i, name_of(how));
        CHECK(check_death(failure_of(bad[static_cast<std::size_t>(i)]), how) == "");
    }
    const auto stats = pool.stats();
    CHECK(stats.completed == 100);
    CHECK(stats.failed == 100);
    CHECK(ends(pool));
}

TEST_CASE("one death leaves a long task on another worker alone") {
    coproc::pool pool{on("process")};
    const auto b = board::make();
    auto longest = pool.apply_async(
        [](board c) {
            c[0] = 1;
            await_cell(c, 1);
            return 7;
        },
        b);
    REQUIRE(eventually([&] { return b[0].load() == 1; }));
    for (int i = 0; i < 5; ++i) {
        auto bad = pool.apply_async(&die_at_once, way::segv);
        CHECK(check_death(failure_of(bad), way::segv) == "");
    }
    CHECK(!longest.ready());
    b[1] = 1;
    CHECK(longest.get(patience) == 7);
    CHECK(ends(pool));
}

TEST_CASE("a lost worker's error says who, how, where and which task") {
    coproc::pool pool{on("process")};
    auto bad = pool.with({.label = "the bad one"})
                   .map_async(
                       [](int x) {
                           if (x == 3) perish(way::abort);
                           return x;
                       },
                       std::vector{0, 1, 2, 3, 4, 5});
    try {
        bad.get(patience);
        FAIL_CHECK("nothing was thrown");
    } catch (const worker_lost_error& e) {
        CHECK(e.pid() > 0);
        CHECK(e.pid() != ::getpid());
        CHECK(e.exit_code() == -SIGABRT);
        CHECK(e.signal_name() == "SIGABRT");
        CHECK(e.label() == "the bad one");
        CHECK(e.index() == 3);
        CHECK_THAT(e.what(), ContainsSubstring("SIGABRT"));
        if (!sanitized) CHECK_THAT(e.backtrace(), ContainsSubstring("perish"));
    }
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("the backtrace of a crash names a library that the task itself has opened") {
    coproc::pool pool{on("process")};
    auto bad = pool.apply_async(
        [](int x) {
            void* const library = ::dlopen(COPROC_TEST_BINARY_DIR "/arithmetic.so", RTLD_NOW);
            auto* const halve = reinterpret_cast<int (*)(int)>(::dlsym(library, "plugin_halve"));
            return halve(x) + 1; // no call in its place
        },
        3);
    try {
        bad.get(patience);
        FAIL_CHECK("nothing was thrown");
    } catch (const worker_lost_error& e) {
        CHECK(e.exit_code() == -SIGABRT);
        if (!sanitized) CHECK_THAT(e.backtrace(), ContainsSubstring("plugin_halve"));
    }
    CHECK(ends(pool));
}

TEST_CASE("a map loses just the items in which workers die, and fails with the first of them") {
    coproc::pool pool{on("process")};
    const auto b = board::make();
    auto bad = pool.with({.chunk_size = 10})
                   .map_async(coproc::bind_front(
                                  [](const board& c, int x) {
                                      ++c[static_cast<std::size_t>(x)];
                                      if (x % 40 == 25) perish(way::kill);
                                      return x;
                                  },
                                  b),
                              std::views::iota(0, 100));
    const auto error = failure_of(bad);
    CHECK(check_death(error, way::kill) == "");
    try {
        std::rethrow_exception(error);
    } catch (const coproc::task_failure& f) {
        CHECK(f.index() == 25);
    }
    CHECK(b[25].load() == 1);
    for (std::size_t i = 0; i < 25; ++i)
        CHECK(b[i].load() >= 1); // what stands before the first failure has run
    CHECK(ailment(pool) == "");

    // With one retry for each item it is as if nothing had happened.
    const auto c = board::make();
    auto again = pool.with({.retries = 1, .chunk_size = 10})
                     .map_async(coproc::bind_front(
                                    [](const board& d, int x) {
                                        ++d[static_cast<std::size_t>(x)];
                                        if (x % 10 == 5 && coproc::this_task::attempt() == 1)
                                            perish(way::kill);
                                        return x;
                                    },
                                    c),
                                std::views::iota(0, 100));
    const auto values = again.get(patience);
    REQUIRE(values.size() == 100);
    for (int i = 0; i < 100; ++i)
        CHECK(values[static_cast<std::size_t>(i)] == i);
    for (std::size_t i = 5; i < 100; i += 10)
        CHECK(c[i].load() == 2);
    CHECK(pool.stats().retried == 10);
    CHECK(ends(pool));
}

TEST_CASE(
    "of a chunk whose worker dies, what has run runs once more, and only the culprit counts") {
    coproc::pool pool{on("process", 1)};
    const auto runs = board::make();
    const auto f = [](const board& b, int x) {
        ++b[static_cast<std::size_t>(x)];
        if (x == 5 && coproc::this_task::attempt() == 1) perish(way::kill);
        return static_cast<int>(coproc::this_task::attempt());
    };
    const auto attempts = pool.with({.retries = 1, .chunk_size = 10})
                              .map_async(coproc::bind_front(f, runs), std::views::iota(0, 10))
                              .get(patience);
    // Its results are sent when a chunk is done, so those before the culprit went with the worker.
    for (std::size_t i = 0; i < 10; ++i) {
        CAPTURE(i);
        CHECK(runs[i].load() == (i <= 5 ? 2 : 1));
        CHECK(attempts.at(i) == (i == 5 ? 2 : 1)); // to the others it is their first
    }
    const auto stats = pool.stats();
    CHECK(stats.retried == 1);
    CHECK(stats.completed == 10);
    CHECK(stats.failed == 0);
    CHECK(stats.workers_lost == 1);

    // Without a retry only the culprit fails.
    const auto again = board::make();
    auto results = pool.with({.chunk_size = 10})
                       .imap_unordered(coproc::bind_front(f, again), std::views::iota(0, 10));
    int good = 0;
    const auto error = failure_of([&] {
        while (results.next(patience))
            ++good;
    });
    CHECK(check_death(error, way::kill) == "");
    CHECK(good <= 9);
    CHECK(pool.stats().failed == 1);
    CHECK(again[5].load() == 1);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("retries are for lost workers, are counted, and have an end") {
    coproc::pool pool{on("process")};
    const auto b = board::make();
    const auto fails_until = [](board c, std::size_t cell, unsigned good) {
        ++c[cell];
        if (coproc::this_task::attempt() < good) perish(way::kill);
        return static_cast<int>(coproc::this_task::attempt());
    };
    auto third = pool.with({.retries = 3}).apply_async(fails_until, b, std::size_t{0}, 3U);
    auto never = pool.with({.retries = 3}).apply_async(fails_until, b, std::size_t{1}, 100U);
    auto once = pool.apply_async(fails_until, b, std::size_t{2}, 100U);
    auto thrown = pool.with({.retries = 3})
                      .apply_async(
                          [](board c) {
                              ++c[3];
                              throw std::out_of_range{"perished"};
                          },
                          b);
    CHECK(third.get(patience) == 3);
    CHECK(check_death(failure_of(never), way::kill) == "");
    CHECK(check_death(failure_of(once), way::kill) == "");
    CHECK(check_death(failure_of(thrown), way::error) == "");
    CHECK(b[0].load() == 3);
    CHECK(b[1].load() == 4);
    CHECK(b[2].load() == 1);
    CHECK(b[3].load() == 1);
    CHECK(pool.stats().retried == 5);
    CHECK(ends(pool));
}

TEST_CASE("a callback may submit while its worker dies") {
    coproc::pool pool{on("process")};
    std::atomic<int> good{0};
    std::atomic<int> bad{0};
    std::atomic<int> ended{0};
    // Each death is answered by another death and a good task, from within the callback.
    std::function<void(int)> spawn_generation = [&](int generations) {
        pool.apply_async(&die_at_once, way::kill)
            .then([](int) {},
                  [&, generations](const std::exception_ptr&) {
                      ++bad;
                      pool.apply_async(&twice, generations)
                          .then([&](int) { ++good; }, [](const std::exception_ptr&) {});
                      if (generations > 0)
                          spawn_generation(generations - 1);
                      else
                          ++ended;
                  });
    };
    for (int i = 0; i < 4; ++i)
        spawn_generation(9);
    CHECK(eventually([&] { return ended == 4 && good == 40; }));
    CHECK(bad == 40);
    CHECK(ends(pool));
}

TEST_CASE("workers are replaced after so many tasks, and no task is lost on the way") {
    const auto backend = each_backend();
    CAPTURE(backend);
    for (const std::size_t limit : {1U, 3U, 7U}) {
        CAPTURE(limit);
        auto options = on(backend);
        options.max_tasks_per_worker = limit;
        coproc::pool pool{options};
        const int count = (limit == 1 ? 60 : 200) / (sanitized ? 5 : 1);
        std::vector<coproc::async_result<int>> handles;
        for (int i = 0; i < count; ++i)
            handles.push_back(pool.apply_async(&twice, i));
        for (int i = 0; i < count; ++i)
            REQUIRE(handles[static_cast<std::size_t>(i)].get(patience) == 2 * i);
        const auto mapped = pool.map_async(&twice, std::views::iota(0, count)).get(patience);
        CHECK(mapped.back() == 2 * (count - 1));
        int n = 0;
        for (const int x : pool.imap(&twice, std::views::iota(0, count)))
            CHECK(x == 2 * n++);
        CHECK(n == count);
        const auto stats = pool.stats();
        CHECK(stats.completed == static_cast<std::uint64_t>(3 * count));
        CHECK(stats.workers_lost == 0);
        if (limit == 1) CHECK(stats.workers_started >= 3U * static_cast<unsigned>(count));
        CHECK(ends(pool));
    }
}

TEST_CASE("a worker runs no more tasks than it may") {
    auto options = on("process", 3);
    options.max_tasks_per_worker = 5;
    coproc::pool pool{options};
    std::map<int, int> tasks;
    for (const int pid :
         pool.map_async([](int) { return static_cast<int>(::getpid()); }, std::views::iota(0, 100))
             .get(patience))
        ++tasks[pid];
    for (const auto& [pid, n] : tasks)
        CHECK(n <= 5);
    CHECK(ends(pool));
}

TEST_CASE(
    "workers that have grown are replaced between tasks, and those that grow far are stopped") {
    if (sanitized) return; // they keep what is freed
    auto options = on("process");
    options.max_worker_memory = std::size_t{64} << 20;
    coproc::pool pool{options};
    const auto grow = [](std::size_t megabytes) {
        auto* leaked = new std::string(megabytes << 20, 'x');
        asm volatile("" : : "r"(leaked->data()) : "memory");
        return static_cast<int>(::getpid());
    };
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < 40; ++i)
        handles.push_back(pool.apply_async(grow, std::size_t{30}));
    for (auto& h : handles)
        CHECK(h.get(patience) > 0);
    CHECK(eventually([&] { return pool.stats().workers_started > 10; }));
    CHECK(pool.stats().workers_lost == 0);

    const auto b = board::make();
    auto greedy = pool.apply_async(
        [](board c) {
            auto* leaked = new std::string(std::size_t{400} << 20, 'x');
            asm volatile("" : : "r"(leaked->data()) : "memory");
            never_end(c, 0);
        },
        b);
    CHECK(check_death(failure_of(greedy), way::kill) == "");
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("kills at random instants lose no task but those that ran, and run none twice") {
    struct storm {
        coproc::start_method start;
        unsigned seed;
    };
    const auto [start, seed] =
        GENERATE(storm{coproc::start_method::forkserver, 1}, storm{coproc::start_method::fork, 2},
                 storm{coproc::start_method::spawn, 3}, storm{coproc::start_method::forkserver, 4});
    CAPTURE(seed);
    const captured_log silence;
    const int kills_wanted = sanitized ? 60 : 300;
    auto options = on("process", 3);
    options.start = start;
    coproc::pool pool{options};
    const auto b = board::make();

    std::atomic<bool> enough{false};
    std::atomic<int> kills{0};
    std::thread killer{[&] {
        std::mt19937 random{seed};
        while (!enough) {
            const auto at = pid_cells + random() % pid_room;
            if (const auto pid = static_cast<pid_t>(b[at].exchange(0)); pid > 0) {
                for (auto spin = random() % 20'000; spin != 0; --spin)
                    asm volatile("");
                if (::kill(pid, SIGKILL) == 0 && ++kills >= kills_wanted) enough = true;
            }
        }
    }};

    std::size_t task = 0;
    int lost = 0;
    int wrong = 0;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!enough && std::chrono::steady_clock::now() < until && task < 60'000) {
        std::vector<coproc::async_result<int>> handles;
        const auto first = task;
        for (int i = 0; i < 50; ++i)
            handles.push_back(pool.apply_async(&counted, b, task++));
        for (std::size_t i = 0; i < handles.size(); ++i) {
            const auto error = failure_of([&] {
                if (handles[i].get(patience) != static_cast<int>(first + i)) ++wrong;
            });
            if (!error) continue;
            ++lost;
            if (!is<worker_lost_error>(error)) {
                ++wrong;
                UNSCOPED_INFO(text_of(error));
            }
        }
    }
    enough = true;
    killer.join();
    int twice_run = 0;
    for (std::size_t i = 0; i < task; ++i)
        if (b[run_cells + i].load() > 1) ++twice_run;
    INFO("tasks " << task << ", kills " << kills << ", lost tasks " << lost);
    CHECK(wrong == 0);
    CHECK(twice_run == 0);
    CHECK(lost <= kills);
    CHECK(kills > 0);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a reply that another thread has just taken is not lost with its worker") {
    // Each caller listens to the worker by itself while the end of that worker is noticed
    // elsewhere.
    const captured_log silence;
    auto options = on("process", 2);
    options.start = coproc::start_method::forkserver;
    coproc::pool pool{options};
    const auto b = board::make();
    const int rounds = sanitized ? 20 : 80;
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 4; ++t)
        callers.emplace_back([&, t] {
            for (int i = 0; i < rounds; ++i) {
                const auto fuse = static_cast<std::size_t>(10'000 + t * rounds + i);
                const auto first = static_cast<std::size_t>(20'000 + 10 * (t * rounds + i));
                const auto error = failure_of([&] {
                    for (std::size_t k = 0; k < 3; ++k)
                        pool.apply([](board c, std::size_t cell) { ++c[cell]; }, b, first + k);
                    // It dies about when it has replied.
                    pool.apply(
                        [](board c, std::size_t cell, std::size_t at) {
                            ++c[cell];
                            arm_and_light(c, at, way::kill);
                        },
                        b, first + 3, fuse);
                    pool.apply([](board c, std::size_t cell) { ++c[cell]; }, b, first + 4);
                });
                if (error && !is<worker_lost_error>(error)) ++wrong;
                for (std::size_t k = 0; k < 5; ++k)
                    if (b[first + k].load() > 1)
                        ++wrong; // run twice, though nobody asked for retries
            }
        });
    for (auto& c : callers)
        c.join();
    CHECK(wrong == 0);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("maps and streams with retries come through a storm of kills complete and in order") {
    const unsigned seed = GENERATE(11U, 12U);
    CAPTURE(seed);
    const captured_log silence;
    auto options = on("process", 3);
    options.start = coproc::start_method::forkserver;
    options.defaults.retries = 1'000'000;
    coproc::pool pool{options};
    const auto b = board::make();
    std::atomic<bool> enough{false};
    std::atomic<int> kills{0};
    std::thread killer{[&] {
        std::mt19937 random{seed};
        while (!enough) {
            const auto at = pid_cells + random() % pid_room;
            if (const auto pid = static_cast<pid_t>(b[at].exchange(0)); pid > 0) {
                std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
                if (::kill(pid, SIGKILL) == 0) ++kills;
            }
        }
    }};
    const auto f = coproc::bind_front(
        [](const board& c, int x) { return counted(c, static_cast<std::size_t>(x)); }, b);
    const int count = sanitized ? 2000 : 10'000;
    auto map = pool.map_async(f, std::views::iota(0, count));
    auto in_order = pool.imap(f, std::views::iota(0, count));
    auto unordered = pool.imap_unordered(f, std::views::iota(0, count));
    int wrong = 0;
    int n = 0;
    while (const auto x = in_order.next(patience))
        wrong += *x != n++ ? 1 : 0;
    CHECK(n == count);
    std::vector<int> seen(static_cast<std::size_t>(count));
    while (const auto x = unordered.next(patience))
        ++seen[static_cast<std::size_t>(*x)];
    CHECK(std::ranges::all_of(seen, [](int k) { return k == 1; }));
    const auto values = map.get(patience);
    for (int i = 0; i < count; ++i)
        wrong += values[static_cast<std::size_t>(i)] != i ? 1 : 0;
    CHECK(wrong == 0);
    enough = true;
    killer.join();
    INFO("kills " << kills);
    CHECK(kills > 0);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

namespace {

int close_all(int x) {
    ::close_range(3, ~0U, 0);
    return x;
}

std::size_t size_of_text(const std::string& s) { return s.size(); }

/// This process gets no more than another 24 MB of addresses.
void limit_memory() {
    std::ifstream file{"/proc/self/statm"};
    rlim_t pages = 0;
    file >> pages;
    const rlim_t most = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{24} << 20);
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_AS, &limit);
}

} // namespace

TEST_CASE("a task that closes all descriptors has its result, and its worker is replaced") {
    coproc::pool pool{on("process", 1)};
    CHECK(pool.apply_async(&close_all, 5).get(patience) == 5);
    std::promise<int> told;
    pool.apply_async(&close_all, 6).then([&](int x) { told.set_value(x); });
    auto result = told.get_future();
    REQUIRE(result.wait_for(patience) == std::future_status::ready);
    CHECK(result.get() == 6);
    CHECK(ailment(pool) == "");
}

TEST_CASE(
    "a worker that spoils its channel is replaced, and what was to be sent to it is not lost") {
    coproc::pool pool{on("process", 1)};
    pool.apply([] {
        // Whatever it writes there itself is written over at once.
        std::thread{[] {
            coproc::detail::channel_control* control = nullptr;
            std::ifstream maps{"/proc/self/maps"};
            for (std::string line; std::getline(maps, line);)
                if (line.find("coproc-channel") != std::string::npos && control == nullptr)
                    control = reinterpret_cast<coproc::detail::channel_control*>(
                        std::stoull(line, nullptr, 16));
            for (;;)
                control->down.head.store(~std::uint64_t{0});
        }}.detach();
    });
    bool right = true;
    CHECK(eventually([&] {
        for (int i = 0; i < 100; ++i)
            right = right && pool.apply(&twice, i) == 2 * i;
        return pool.stats().workers_lost != 0 || !right;
    }));
    CHECK(right);
    CHECK(pool.stats().failed == 0);
}

TEST_CASE("a worker that has no room for an argument fails that task, and goes on") {
    if (sanitized) return; // they need more than that
    auto options = on("process", 1);
    options.initializer = coproc::job{&limit_memory};
    coproc::pool pool{options};
    auto large = pool.apply_async(&size_of_text, std::string(std::size_t{64} << 20, 'x'));
    const auto failure = failure_of([&] { large.get(patience); });
    CHECK_THAT(text_of(failure), ContainsSubstring("map a large payload"));
    CHECK_THROWS_AS(std::rethrow_exception(failure), std::system_error);
    CHECK(pool.apply_async(&size_of_text, std::string(10, 'x')).get(patience) == 10);
    CHECK(pool.stats().workers_lost == 0);
}

namespace {

/// The pid of a child that returns (or throws) as well.
int fork_and_return(bool throws) {
    const auto child = ::fork();
    if (child == 0 && throws) throw std::runtime_error{"in the child"};
    return child;
}
/// The second item forks; the third says who runs it.
int fork_at_two(int x) {
    if (x == 2 && ::fork() == 0) return 0;
    return x;
}

} // namespace

TEST_CASE("a child of fork() that returns from a task does not answer in its parent's place") {
    coproc::pool pool{on("process", 1)};
    const bool throws = GENERATE(false, true);
    for (int i = 0; i != 20; ++i)
        CHECK(pool.apply_async(&fork_and_return, throws).get(patience) > 0);
    const auto several = pool.with({.chunk_size = 3});
    for (int i = 0; i != 10; ++i)
        CHECK(several.map_async(&fork_at_two, std::vector{1, 2, 3}).get(patience) ==
              std::vector{1, 2, 3});
    CHECK(ailment(pool) == "");
    CHECK(pool.stats().workers_lost == 0);
}
