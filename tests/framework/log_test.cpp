// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The log hook.

#include <coproc/log.hpp>

#include "pools.hpp"

#include <csignal>
#include <sstream>

using namespace coproc_test;

TEST_CASE("a log record can be written to a stream") {
    std::ostringstream out;
    out << coproc::log_record{coproc::log_kind::other, "one"} << '|'
        << coproc::log_record{coproc::log_kind::other, "two"};
    CHECK(out.str() == "one|two");
}

TEST_CASE("a log handler takes a record, a view or a string, and is given back") {
    std::string text;
    coproc::log_kind kind{};
    coproc::set_log_handler([&](const coproc::log_record& r) {
        kind = r.kind;
        text = r.message;
    });
    coproc::detail::log(coproc::log_kind::callback_error, "one");
    CHECK(text == "one");
    CHECK(kind == coproc::log_kind::callback_error);
    const auto first = coproc::set_log_handler([&](std::string_view s) { text = s; });
    REQUIRE(first);
    coproc::detail::log(coproc::log_kind::other, "two");
    CHECK(text == "two");
    CHECK(kind == coproc::log_kind::callback_error);
    coproc::set_log_handler([&](const std::string& s) { text = s; });
    coproc::detail::log(coproc::log_kind::other, "three");
    CHECK(text == "three");
    coproc::set_log_handler(first);
    coproc::detail::log(coproc::log_kind::other, "four");
    CHECK(text == "four");
    CHECK(kind == coproc::log_kind::other);
    // What it throws is ignored; it may log itself.
    coproc::set_log_handler([](std::string_view) { throw 1; });
    coproc::detail::log(coproc::log_kind::other, "five");
    coproc::set_log_handler([&](std::string_view s) {
        if (s == "outer") coproc::detail::log(coproc::log_kind::other, "inner");
        text += s;
    });
    text.clear();
    coproc::detail::log(coproc::log_kind::other, "outer");
    CHECK(text == "innerouter");
    coproc::set_log_handler({});
}

TEST_CASE("an error that nobody looked at is told where nothing else has to wait for it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    std::atomic<bool> entered{false};
    std::promise<void> leave;
    coproc::set_log_handler([&, left = leave.get_future().share()](const coproc::log_record& r) {
        if (r.kind != coproc::log_kind::unobserved_error) return;
        entered = true;
        left.wait();
    });
    {
        coproc::pool pool{on(backend, 1)};
        pool.apply_async([] { throw std::runtime_error{"nobody looks"}; });
        REQUIRE(eventually([&] { return entered.load(); }));
        coproc::pool other{on(backend, 1)};
        auto result = other.apply_async([] { return 7; });
        CHECK(eventually([&] { return result.ready(); }));
        leave.set_value();
    }
    coproc::set_log_handler({});
}

TEST_CASE("a pool that was joined has told of all its tasks") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    coproc::pool pool{on(backend, 2)};
    for (int i = 0; i != 20; ++i)
        pool.apply_async([](int n) { throw std::runtime_error{"error " + std::to_string(n)}; }, i);
    pool.close();
    pool.join();
    CHECK(log.count(coproc::log_kind::unobserved_error) == 20);
    CHECK(log.count(coproc::log_kind::unobserved_error, "error 19") == 1);
}

TEST_CASE("an error without a text is told of, too") {
    struct silent : std::exception {
        const char* what() const noexcept override { return nullptr; }
    };
    CHECK_FALSE(coproc::format_exception(std::make_exception_ptr(silent{})).empty());
}

TEST_CASE("a worker that was lost is in the log") {
    captured_log log;
    coproc::pool pool{on("process", 1)};
    CHECK_THROWS_AS(pool.apply([] { ::raise(SIGKILL); }), coproc::worker_lost_error);
    CHECK(
        eventually([&] { return log.count(coproc::log_kind::worker_restarted, "SIGKILL") == 1; }));
    CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
}

TEST_CASE("a worker that is stopped with its task is in the log, with the reason") {
    captured_log log;
    coproc::pool pool{on("process", 1)};
    const auto endless = [] {
        for (;;)
            ::pause();
    };
    auto timed = pool.with({.timeout = 1ms}).apply_async(endless);
    CHECK_THROWS_AS(timed.get(patience), coproc::timeout_error);
    const signs files;
    auto cancelled = pool.apply_async(
        [](const std::string& sign) {
            raise_sign(sign);
            for (;;)
                ::pause();
        },
        files.path("runs"));
    REQUIRE(eventually([&] { return sees_sign(files.path("runs")); }));
    CHECK(cancelled.cancel());
    CHECK_THROWS_AS(cancelled.get(patience), coproc::cancelled_error);
    CHECK(eventually([&] {
        return log.count(coproc::log_kind::worker_restarted, "ran out of time") == 1 &&
               log.count(coproc::log_kind::worker_restarted, "was cancelled") == 1;
    }));
    CHECK(log.count(coproc::log_kind::pool_broken) == 0);
}

TEST_CASE("a pool that breaks says so in the log, once") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    auto options = on(backend, 2);
    options.name = "frail";
    options.initializer =
        coproc::job{[] { throw std::runtime_error{"the initializer has its reasons"}; }};
    coproc::pool pool{options};
    auto h = pool.apply_async([] { return 1; });
    CHECK_THROWS_AS(h.get(patience), std::exception);
    CHECK(eventually([&] { return log.count(coproc::log_kind::pool_broken, "frail") == 1; }));
    CHECK(log.count(coproc::log_kind::pool_broken, "has its reasons") == 1);
    pool.terminate();
    pool.join();
    CHECK(log.count(coproc::log_kind::pool_broken) == 1);
}

TEST_CASE("a log handler that waits for a task is told that it cannot, and the pool goes on") {
    coproc::pool pool{on("process", 1)};
    std::promise<std::string> told;
    coproc::set_log_handler([&](const coproc::log_record& record) {
        if (record.kind != coproc::log_kind::worker_restarted) return;
        try {
            pool.apply([] {});
            told.set_value("no error");
        } catch (const std::exception& e) {
            told.set_value(e.what());
        }
    });
    CHECK_THROWS_AS(pool.apply([] { ::raise(SIGKILL); }), coproc::worker_lost_error);
    auto text = told.get_future();
    REQUIRE(text.wait_for(patience) == std::future_status::ready);
    CHECK_THAT(text.get(), ContainsSubstring("log handler"));
    coproc::set_log_handler({});
    CHECK(pool.apply_async([] { return 7; }).get(patience) == 7);
}
