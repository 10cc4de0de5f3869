// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Timeouts and cancellation really stop what they are meant for, and nothing else.

#include "pool_faults.hpp"

using namespace coproc_test;
using coproc::timeout_error;
using coproc::timeout_kind;

namespace {

/// Empty if it is a timeout of this kind.
std::string check_timeout(const std::exception_ptr& error, timeout_kind kind) {
    if (!error) return "no error";
    try {
        std::rethrow_exception(error);
    } catch (const timeout_error& e) {
        return e.kind() == kind ? "" : "another kind of timeout";
    } catch (const std::exception& e) {
        return e.what();
    }
}

/// Ignores what can be ignored, starts a child that does so too, tells both pids and never ends.
void stubborn(board b) {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGUSR1})
        ::sigaction(signal, &ignore, nullptr);
    const pid_t child = ::fork();
    if (child == 0)
        for (;;)
            ::pause();
    b[1] = child;
    b[0] = ::getpid();
    for (;;)
        asm volatile("");
}

void note(board b, std::size_t cell) { ++b[cell]; }

/// A worker that is held up, so that what is submitted behind it waits.
class held_pool {
public:
    explicit held_pool(const std::string& backend) : pool{on(backend, 1)} {
        holder_ = pool.apply_async(
            [](board b) {
                b[0] = 1;
                await_cell(b, 1);
            },
            cells);
        if (!eventually([&] { return cells[0].load() == 1; }))
            throw std::runtime_error{"the pool does not start"};
    }
    void release() {
        cells[1] = 1;
        holder_.get(patience);
    }

    board cells = board::make();
    coproc::pool pool;

private:
    coproc::async_result<void> holder_;
};

} // namespace

TEST_CASE("a timeout stops a task that ignores every signal, and the processes it has started") {
    coproc::pool pool{on("process")};
    const auto b = board::make();
    unsigned rounds = 0;
    do { // on a busy machine it may not come far before it is stopped
        auto h = pool.with({.timeout = 300ms * (1 << rounds++), .retries = 3, .label = "stubborn"})
                     .apply_async(&stubborn, b);
        const auto error = failure_of(h);
        REQUIRE(check_timeout(error, timeout_kind::running) == "");
        try {
            std::rethrow_exception(error);
        } catch (const coproc::task_failure& f) {
            CHECK(f.label() == "stubborn");
            CHECK(f.worker_pid() > 0);
        }
    } while (b[0].load() == 0);
    CHECK(eventually([&] { return is_gone(static_cast<pid_t>(b[0].load())); }));
    CHECK(eventually([&] { return is_gone(static_cast<pid_t>(b[1].load())); }));
    CHECK(pool.stats().timed_out == rounds);
    CHECK(pool.stats().retried == 0); // more of the same would not help
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a timeout stops a worker that was stopped by a signal") {
    coproc::pool pool{on("process")};
    auto h = pool.with({.timeout = 300ms}).apply_async([] { ::kill(::getpid(), SIGSTOP); });
    CHECK(check_timeout(failure_of(h), timeout_kind::running) == "");
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a timeout fails the task at its deadline on both backends, and the pool is at full "
          "strength again") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    std::vector<coproc::async_result<void>> handles;
    for (int i = 0; i < 6; ++i)
        handles.push_back(pool.with({.timeout = 50ms}).apply_async(&never_end, b, std::size_t{0}));
    for (auto& h : handles)
        CHECK(check_timeout(failure_of(h), timeout_kind::running) == "");
    CHECK(pool.stats().timed_out == 6);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a map's timeout is each item's own, not the chunk's") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 1)};
    // Thirty times 100 ms in one chunk take longer than one item may.
    const auto nap = [](int x) {
        ::usleep(100'000);
        return x;
    };
    auto fine =
        pool.with({.timeout = 2500ms, .chunk_size = 30}).map_async(nap, std::views::iota(0, 30));
    CHECK(failure_of(fine) == nullptr);
    CHECK(pool.stats().timed_out == 0);
    CHECK(pool.stats().workers_lost == 0);

    const auto b = board::make();
    auto slow = pool.with({.timeout = 2s, .chunk_size = 10})
                    .map_async(coproc::bind_front(
                                   [](const board& c, int x) {
                                       if (x == 6) never_end(c, 0);
                                       return x;
                                   },
                                   b),
                               std::views::iota(0, 20));
    const auto error = failure_of(slow);
    CHECK(check_timeout(error, timeout_kind::running) == "");
    try {
        std::rethrow_exception(error);
    } catch (const coproc::task_failure& f) {
        CHECK(f.index() == 6);
    }
    CHECK(b[0].load() == 1);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a stream with timeouts delivers what stands before the item that is too slow") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    auto items = pool.with({.timeout = 2s})
                     .imap(coproc::bind_front(
                               [](const board& c, int x) {
                                   if (x == 5) never_end(c, 0);
                                   return x;
                               },
                               b),
                           std::views::iota(0, 100));
    for (int i = 0; i < 5; ++i)
        CHECK(items.next(patience) == i);
    CHECK(check_timeout(failure_of([&] { static_cast<void>(items.next(patience)); }),
                        timeout_kind::running) == "");
    CHECK(items.next(patience) == std::nullopt);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE(
    "tasks that end just at their timeout have a result or a timeout, and the pool works on") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    int good = 0;
    int late = 0;
    for (int round = 0; round < 40; ++round) {
        auto h = pool.with({.timeout = 5ms})
                     .apply_async([](int us) { ::usleep(static_cast<unsigned>(us)); },
                                  4000 + 50 * round);
        if (const auto error = failure_of(h)) {
            ++late;
            CHECK(check_timeout(error, timeout_kind::running) == "");
        } else {
            ++good;
        }
    }
    CHECK(good + late == 40);
    const auto stats = pool.stats();
    CHECK(stats.completed == static_cast<unsigned>(good));
    CHECK(stats.timed_out == static_cast<unsigned>(late));
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a wait in the queue that is too long is told apart from a run that is") {
    const auto backend = each_backend();
    CAPTURE(backend);
    held_pool held{backend};
    const auto b = board::make();
    auto patient = held.pool.with({.timeout = 2s})
                       .apply_async(&note, b, std::size_t{1}); // waiting does not count
    auto h = held.pool.with({.queue_timeout = 2500ms, .label = "late"})
                 .apply_async(&note, b, std::size_t{0});
    auto m = held.pool.with({.queue_timeout = 30ms})
                 .map_async([](int x) { return x; }, std::views::iota(0, 10));
    CHECK(check_timeout(failure_of(h), timeout_kind::queued) == "");
    CHECK(check_timeout(failure_of(m), timeout_kind::queued) == "");
    CHECK(held.pool.stats().workers_lost == 0);
    held.release();
    CHECK(failure_of(patient) == nullptr);
    CHECK(b[0].load() == 0);
    CHECK(b[1].load() == 1);
    auto running = held.pool.with({.timeout = 50ms, .queue_timeout = 30s})
                       .apply_async(&never_end, b, std::size_t{2});
    CHECK(check_timeout(failure_of(running), timeout_kind::running) == "");
    CHECK(ends(held.pool));
}

TEST_CASE("a task that is not let finish is named") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 1)};
    const auto b = board::make();
    auto slow =
        pool.with({.timeout = 20ms, .label = "slow"}).apply_async(&never_end, b, std::size_t{0});
    // A thread cannot be stopped, and nobody says that it was.
    const std::string fate = backend == "process" ? " was stopped" : " ran past its timeout";
    CHECK_THAT(text_of(failure_of(slow)), ContainsSubstring("task \"slow\"" + fate));
    auto map = pool.with({.timeout = 20ms, .label = "slow map"})
                   .map_async(coproc::bind_front(&never_end, b), std::vector<std::size_t>{1});
    CHECK_THAT(text_of(failure_of(map)), ContainsSubstring("task \"slow map\", item 0," + fate));
    auto running = pool.apply_async(&never_end, b, std::size_t{2});
    auto late = pool.with({.queue_timeout = 20ms, .label = "late"})
                    .apply_async(&never_end, b, std::size_t{3});
    CHECK_THAT(text_of(failure_of(late)), ContainsSubstring("task \"late\" did not start"));
    auto unwanted = pool.with({.label = "unwanted"}).apply_async(&never_end, b, std::size_t{4});
    CHECK(unwanted.cancel());
    CHECK_THAT(text_of(failure_of(unwanted)), ContainsSubstring("task \"unwanted\" was cancelled"));
    CHECK(running.cancel());
    CHECK_THAT(text_of(failure_of(running)), ContainsSubstring("the task was cancelled"));
}

TEST_CASE("a get with a timeout gives up in time, and the handle stays usable") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    auto h = pool.apply_async(
        [](board c) {
            await_cell(c, 0);
            return 5;
        },
        b);
    for (int i = 0; i < 3; ++i) {
        CHECK(check_timeout(failure_of([&] { h.get(20ms); }), timeout_kind::waiting) == "");
        CHECK(!h.wait(1ms));
    }
    CHECK(check_timeout(failure_of([&] { h.get(0ms); }), timeout_kind::waiting) == "");
    CHECK(check_timeout(failure_of([&] { h.get(-1s); }), timeout_kind::waiting) == "");
    b[0] = 1;
    CHECK(h.get(patience) == 5);
    CHECK(pool.stats().timed_out == 0);
    CHECK(ends(pool));
}

TEST_CASE("cancelling a task that waits drops it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    held_pool held{backend};
    const auto b = board::make();
    auto one = held.pool.apply_async(&note, b, std::size_t{0});
    auto many = held.pool.map_async(coproc::bind_front([](const board& c, int) { ++c[1]; }, b),
                                    std::views::iota(0, 100));
    auto other = held.pool.apply_async(&note, b, std::size_t{2});
    CHECK(one.cancel());
    CHECK(many.cancel());
    CHECK(!one.cancel());
    CHECK(is<coproc::cancelled_error>(failure_of(one)));
    CHECK(is<coproc::cancelled_error>(failure_of(many)));
    held.release();
    CHECK(failure_of(other) == nullptr);
    CHECK(b[0].load() == 0);
    CHECK(b[1].load() == 0);
    CHECK(held.pool.stats().workers_lost == 0);
    CHECK(held.pool.stats().cancelled >= 2);
    CHECK(ends(held.pool));
}

TEST_CASE("cancelling a task that runs stops it, and the processes it has started") {
    coproc::pool pool{on("process")};
    const auto b = board::make();
    auto h = pool.apply_async(&stubborn, b);
    REQUIRE(eventually([&] { return b[0].load() != 0; }));
    CHECK(h.cancel());
    CHECK(is<coproc::cancelled_error>(failure_of(h)));
    CHECK(eventually([&] { return is_gone(static_cast<pid_t>(b[0].load())); }));
    CHECK(eventually([&] { return is_gone(static_cast<pid_t>(b[1].load())); }));
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("cancelling a running task is heard on both backends, and cancelling a done one has no "
          "effect") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    auto h = pool.apply_async(&never_end, b, std::size_t{0});
    REQUIRE(eventually([&] { return b[0].load() != 0; }));
    CHECK(h.cancel());
    CHECK(is<coproc::cancelled_error>(failure_of(h)));
    auto done = pool.apply_async(&twice, 3);
    done.wait();
    CHECK(!done.cancel());
    CHECK(done.get() == 6);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("cancelling a map stops the items that run and drops the others") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    auto h = pool.map_async(coproc::bind_front([](const board& c, int) { never_end(c, 0); }, b),
                            std::views::iota(0, 1000));
    REQUIRE(eventually([&] { return b[0].load() == 2; }));
    CHECK(h.cancel());
    CHECK(is<coproc::cancelled_error>(failure_of(h)));
    CHECK(ailment(pool) == "");
    CHECK(b[0].load() == 2);
    CHECK(ends(pool));
}

TEST_CASE("cancelling at any moment leaves no task running and no worker busy") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const captured_log silence;
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    const int rounds = backend == "dummy" ? 400 : sanitized ? 40 : 150;
    const auto cancel_soon = [&](unsigned seed) {
        for (int i = 0; i < rounds; ++i) {
            auto h = pool.apply_async(&never_end, b, std::size_t{0});
            for (unsigned spin = (seed += 7919) % 30'000; spin != 0; --spin)
                asm volatile("");
            h.cancel();
            h.wait();
        }
    };
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t)
        threads.emplace_back(cancel_soon, t * 1000);
    for (auto& t : threads)
        t.join();
    CHECK(eventually([&] { return pool.stats().running == 0 && pool.stats().queued == 0; }));
    CHECK(ailment(pool) == "");
    REQUIRE(eventually(
        [&] { return pool.stats().idle == 2; })); // no worker is left with what nobody wants
    CHECK(ends(pool));
}

TEST_CASE("cancelling a coroutine that awaits a task stops the task") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    asio::io_context context;
    asio::cancellation_signal cancel;
    std::exception_ptr ended_with;
    bool ended = false;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            auto h = pool.apply_async(
                [](board c) {
                    c[1] = ::getpid();
                    never_end(c, 0);
                },
                b);
            co_await std::move(h);
        },
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
            ended_with = std::move(e);
            ended = true;
        }));
    const auto until = std::chrono::steady_clock::now() + patience;
    while (b[0].load() == 0 && std::chrono::steady_clock::now() < until)
        context.run_one_for(1ms);
    REQUIRE(b[0].load() == 1);
    cancel.emit(asio::cancellation_type::terminal);
    while (!ended && std::chrono::steady_clock::now() < until)
        context.run_one_for(1ms);
    REQUIRE(ended);
    CHECK(is<coproc::cancelled_error>(ended_with));
    if (backend == "process")
        CHECK(eventually([&] { return is_gone(static_cast<pid_t>(b[1].load())); }));
    CHECK(pool.stats().cancelled == 1);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a timeout of an hour does not keep a pool that has ended") {
    coproc::pool{on("process", 1)}.apply(
        &twice, 1); // the threads of the library stay, and what they wait on
    const auto before = descriptor_count();
    for (int i = 0; i < 20; ++i) {
        coproc::pool pool{on("process", 1)};
        CHECK(
            pool.with({.timeout = 1h, .queue_timeout = 1h}).apply_async(&twice, i).get(patience) ==
            2 * i);
    }
    CHECK(eventually([&] { return descriptor_count() <= before; }));
}

TEST_CASE("timeouts of any length are taken, and the longest never come") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto forever = std::chrono::nanoseconds::max();
    CHECK(pool.with({.timeout = forever, .queue_timeout = forever})
              .apply_async(&twice, 1)
              .get(patience) == 2);
    CHECK(
        pool.with({.timeout = std::chrono::hours{1'000'000}}).apply_async(&twice, 2).get(forever) ==
        4);
    CHECK(pool.with({.timeout = 0.5h})
              .apply_async(&twice, 3)
              .get(std::chrono::duration<double>{1e30}) == 6);
    CHECK(ends(pool));
}
