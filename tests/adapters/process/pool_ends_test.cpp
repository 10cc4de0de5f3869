// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A pool ends in whatever way it is told to, without a hang and without a trace.

#include "pool_faults.hpp"

#include <sys/resource.h>

using namespace coproc_test;

namespace {

/// What may be going on when a pool ends.
enum class moment { at_once, idle, working, queued, crashed };
constexpr std::array all_moments{moment::at_once, moment::idle, moment::working, moment::queued,
                                 moment::crashed};

int short_task(int x) {
    ::usleep(2000);
    return x;
}

std::vector<coproc::async_result<int>> prepare(coproc::pool& pool, moment when,
                                               const std::string& backend) {
    std::vector<coproc::async_result<int>> handles;
    switch (when) {
    case moment::at_once:
        break;
    case moment::idle:
        CHECK(pool.apply(&twice, 1) == 2);
        break;
    case moment::working:
        handles.push_back(pool.apply_async(&short_task, 1));
        break;
    case moment::queued:
        for (int i = 0; i < 50; ++i)
            handles.push_back(pool.apply_async(&short_task, i));
        break;
    case moment::crashed:
        handles.push_back(pool.apply_async(
            [](bool really) {
                perish(really ? way::segv : way::error);
                return 0;
            },
            backend == "process"));
        handles.push_back(pool.apply_async(&short_task, 2));
        break;
    }
    return handles;
}

/// c: close, t: terminate, j: join.
void end(coproc::pool& pool, const std::string& calls) {
    for (const char c : calls) {
        if (c == 'c') pool.close();
        if (c == 't') pool.terminate();
        if (c == 'j' && !pool.join(patience)) throw std::runtime_error{"join hangs"};
    }
}

} // namespace

TEST_CASE("close, join and terminate in every order, at any moment, come to an end") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const captured_log silence;
    for (const std::string calls : {"", "c", "t", "cj", "tj", "ct", "tc", "ctj", "tcj", "cjj",
                                    "tjj", "ccjj", "ttjj", "cjtj", "tjcj", "cjct", "tjtj"})
        for (const auto when : all_moments) {
            CAPTURE(calls, static_cast<int>(when));
            std::vector<coproc::async_result<int>> handles;
            {
                coproc::pool pool{on(backend)};
                handles = prepare(pool, when, backend);
                end(pool, calls);
                if (calls.starts_with("cj"))
                    for (auto& h : handles)
                        CHECK(h.ready());
            }
            for (auto& h : handles) {
                REQUIRE(h.wait(patience)); // nobody is left waiting
                const auto error = failure_of(h);
                if (calls.starts_with("cj") && when != moment::crashed) CHECK(!error);
            }
        }
}

TEST_CASE("a closed pool takes nothing more and says so, an open one cannot be joined") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    CHECK_THROWS_AS(pool.join(), std::logic_error);
    CHECK_THROWS_AS(pool.join(1ms), std::logic_error);
    auto before = pool.apply_async(&short_task, 3);
    pool.close();
    CHECK_THROWS_AS(pool.apply_async(&twice, 1), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.map(&twice, {1, 2}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.map_async(&twice, std::vector<int>{}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.imap(&twice, std::vector{1, 2}), coproc::pool_closed_error);
    CHECK(before.get(patience) == 3);
    CHECK(pool.join(patience));
    CHECK_THROWS_AS(pool.apply(&twice, 1), coproc::pool_closed_error);
    CHECK(pool.stats().workers == 0);
}

TEST_CASE("ends from several threads at once meet") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const captured_log silence;
    for (int round = 0; round < 10; ++round) {
        coproc::pool pool{on(backend)};
        const auto handles = prepare(
            pool, all_moments[static_cast<std::size_t>(round) % all_moments.size()], backend);
        std::vector<std::thread> threads;
        std::atomic<int> ended{0};
        for (const std::string calls : {"cj", "tj", "cjtj", "ctj"})
            threads.emplace_back([&pool, &ended, calls] {
                end(pool, calls);
                ++ended;
            });
        for (auto& t : threads)
            t.join();
        CHECK(ended == 4);
    }
}

TEST_CASE("a pool may be ended from a callback of its own") {
    const auto backend = each_backend();
    CAPTURE(backend);
    for (const std::string calls : {"c", "t", "cj", "tj", "ctjj"}) {
        CAPTURE(calls);
        coproc::pool pool{on(backend)};
        gate done;
        auto first = pool.apply_async(&short_task, 1);
        auto second = pool.apply_async(&short_task, 2);
        first.then([&](int) {
            end(pool, calls);
            done.set();
        });
        CHECK(done.wait());
        CHECK(second.wait(patience));
        failure_of(second);
        pool.close();
        CHECK(pool.join(patience));
    }
}

TEST_CASE("a pool may be destroyed in a callback of its own") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto pool = std::make_unique<coproc::pool>(on(backend));
    gate done;
    auto h = pool->apply_async(&short_task, 1);
    auto pending = pool->map_async(&short_task, std::views::iota(0, 10'000));
    h.then([&](int) {
        pool.reset();
        done.set();
    });
    CHECK(done.wait());
    CHECK(is<coproc::cancelled_error>(failure_of(pending)));
    CHECK(h.get() == 1); // results outlive their pool
}

TEST_CASE("an error callback may end the pool whose worker died") {
    const captured_log silence;
    for (const std::string calls : {"cj", "tj"}) {
        coproc::pool pool{on("process")};
        gate done;
        auto h = pool.apply_async([] { perish(way::segv); });
        h.then([] {},
               [&](const std::exception_ptr&) {
                   end(pool, calls);
                   done.set();
               });
        CHECK(done.wait());
    }
}

TEST_CASE("asynchronous joins end, many at a time") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto h = pool.apply_async(&short_task, 4);
    pool.close();
    std::atomic<int> joined{0};
    run([&]() -> asio::awaitable<void> {
        int local = 0;
        co_await pool.async_join(asio::use_awaitable);
        ++local;
        co_await pool.async_join(asio::use_awaitable);
        joined = ++local;
    }());
    CHECK(joined == 2);
    CHECK(h.get() == 4);
}

TEST_CASE("a terminate with 10,000 endless tasks in the queue fails them all and ends") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const auto b = board::make();
    coproc::pool pool{on(backend)};
    std::vector<coproc::async_result<void>> handles;
    for (int i = 0; i < 10'000; ++i)
        handles.push_back(pool.apply_async(&never_end, b, std::size_t{0}));
    auto map = pool.map_async(coproc::bind_front([](const board& c, int) { never_end(c, 1); }, b),
                              std::views::iota(0, 100'000));
    REQUIRE(eventually([&] { return b[0].load() == 2; }));
    pool.terminate();
    int cancelled = 0;
    for (auto& h : handles)
        cancelled += h.ready() && is<coproc::cancelled_error>(failure_of(h)) ? 1 : 0;
    CHECK(cancelled == 10'000);
    CHECK(is<coproc::cancelled_error>(failure_of(map)));
    CHECK(pool.join(patience));
    CHECK(b[0].load() == 2); // none was begun meanwhile
    CHECK(b[1].load() == 0);
}

TEST_CASE("a pool that is destroyed cancels what it has and leaves nothing behind") {
    const auto b = board::make();
    coproc::async_result<void> running;
    coproc::async_result<int> queued;
    coproc::async_result<int> done;
    {
        coproc::pool pool{on("process", 1)};
        done = pool.apply_async(&own_pid);
        done.wait();
        running = pool.apply_async(&never_end, b, std::size_t{0});
        queued = pool.apply_async(&twice, 1);
        REQUIRE(eventually([&] { return b[0].load() == 1; }));
    }
    CHECK(is<coproc::cancelled_error>(failure_of(running)));
    CHECK(is<coproc::cancelled_error>(failure_of(queued)));
    CHECK(is_gone(done.get()));
}

TEST_CASE("a worker is asked to leave when its pool is closed, and its exit handlers run") {
    const auto b = board::make();
    coproc::pool pool{on("process", 1)};
    pool.apply(
        [](board c) {
            static board kept; // the handler cannot have state
            kept = c;
            kept[1] = 0;
            std::atexit([] { ++kept[0]; });
        },
        b);
    CHECK(ends(pool));
    CHECK(b[0].load() == 1);
}

TEST_CASE("a worker whose exit handlers hang does not hold up the end of its pool") {
    coproc::pool pool{on("process", 1)};
    pool.apply([] {
        std::atexit([] {
            for (;;)
                ::pause();
        });
    });
    CHECK(ends(pool));
}

TEST_CASE("a pool that cannot be made leaves no process and no descriptor, whatever it lacked") {
    CHECK(coproc::pool{on("process", 1)}.apply(&twice, 1) == 2); // what is made once is there now
    const auto method = GENERATE(coproc::start_method::spawn, coproc::start_method::fork);
    const auto before = descriptor_count();
    const auto children_before = children().size();
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    int failed = 0;
    int made = 0;
    auto options = on("process", 3);
    options.start = method;
    const captured_log silence;
    for (rlim_t room = 0; room < 30; room += room < 16 ? 2 : 4) {
        CAPTURE(room);
        rlimit tight = usual;
        tight.rlim_cur = before + room;
        ::setrlimit(RLIMIT_NOFILE, &tight);
        const auto error = failure_of([&] {
            coproc::pool pool{options};
            ++made;
            auto h = pool.apply_async(&twice, 4);
            if (h.get(patience) != 8) throw std::runtime_error{"a wrong result"};
        });
        ::setrlimit(RLIMIT_NOFILE, &usual);
        if (error) {
            ++failed;
            INFO(text_of(error));
            CHECK((is<std::system_error>(error) || is<coproc::error>(error)));
        }
        CHECK(eventually(
            [&] { return descriptor_count() <= before && children().size() <= children_before; }));
    }
    CHECK(failed > 0);
    CHECK(made > 0);
    CHECK(coproc::pool{options}.apply(&twice, 1) == 2);
}

TEST_CASE("a pool whose memory cannot be had is refused with an error") {
    CHECK(coproc::pool{on("process", 1)}.apply(&twice, 1) == 2);
    const auto before = descriptor_count();
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual) == 0);
    struct sigaction ignore{};
    struct sigaction former{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGXFSZ, &ignore, &former); // what the system sends besides the error
    rlimit tight = usual;
    tight.rlim_cur = 4096;
    ::setrlimit(RLIMIT_FSIZE, &tight);
    const auto error = failure_of([&] { const coproc::pool pool{on("process")}; });
    ::setrlimit(RLIMIT_FSIZE, &usual);
    ::sigaction(SIGXFSZ, &former, nullptr);
    REQUIRE(error);
    CHECK(is<std::system_error>(error));
    CHECK(eventually([&] { return descriptor_count() <= before; }));
    CHECK(coproc::pool{on("process", 1)}.apply(&twice, 1) == 2);
}

TEST_CASE("a live pool that runs out of descriptors stays consistent and recovers") {
    const captured_log silence;
    coproc::pool pool{on("process")};
    CHECK(ailment(pool) == "");
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    rlimit tight = usual;
    tight.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &tight);
    auto bad = pool.apply_async([] { perish(way::kill); }); // its successor cannot be started now
    const auto error = failure_of(bad);
    auto good = pool.apply_async(&twice, 4);
    const auto other = failure_of([&] { CHECK(good.get(patience) == 8); });
    ::setrlimit(RLIMIT_NOFILE, &usual);
    CHECK(check_death(error, way::kill) == "");
    CHECK(!other);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("whoever is told that a worker cannot be started must not wait for the pool") {
    coproc::pool pool{on("process", 1)};
    CHECK(ailment(pool) == "");
    std::atomic<int> refused{0};
    coproc::set_log_handler([&](const coproc::log_record& record) {
        if (record.message.find("could not be started") == std::string_view::npos) return;
        const auto error = failure_of([&] { pool.apply(&twice, 1); });
        if (is<std::system_error>(error)) ++refused;
    });
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    rlimit tight = usual;
    tight.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &tight);
    auto bad = pool.apply_async([] { perish(way::kill); });
    const auto error = failure_of(bad);
    const bool told = eventually([&] { return refused.load() != 0; });
    ::setrlimit(RLIMIT_NOFILE, &usual);
    CHECK(told);
    CHECK(check_death(error, way::kill) == "");
    pool.terminate();
    CHECK(pool.join(patience));
    coproc::set_log_handler({});
}

TEST_CASE("a program that has no process to spare gets an error, and its live pools carry on") {
    const auto method = GENERATE(as<std::string>{}, "spawn", "fork");
    CAPTURE(method);
    program p{"starved", {"processes", method}, false};
    const auto text = p.rest();
    const auto code = p.wait();
    if (code == 77) return; // nobody there to be limited
    INFO(text);
    CHECK(code == 0);
    CHECK(text == "refused\nlost\ntwice 8\nrecovered 10 made\n");
}

TEST_CASE("a program that has no memory to spare gets an error, and a pool when it has") {
    if (sanitized) return; // they take it all beforehand
    const auto method = GENERATE(as<std::string>{}, "spawn", "fork");
    CAPTURE(method);
    program p{"starved", {"memory", method}, false};
    const auto text = p.rest();
    INFO(text);
    CHECK(p.wait() == 0);
    CHECK(text == "refused\nrecovered made\n");
}
