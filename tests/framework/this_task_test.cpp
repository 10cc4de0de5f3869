// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a task can ask about itself.

#include <coproc/this_task.hpp>

#include "pools.hpp"

namespace {

using namespace coproc_test;

std::string describe() {
    return coproc::this_task::label() + "/" + std::to_string(coproc::this_task::attempt()) + "/" +
           (coproc::this_task::stop_token().stop_requested() ? "stop" : "go");
}

} // namespace

TEST_CASE("outside of a task there is nothing to be asked") {
    CHECK(describe() == "/0/go");
    CHECK_FALSE(coproc::this_task::stop_token().stop_possible());
    coproc::this_task::report_progress(1, 2);
}

TEST_CASE("inside a task: label, attempt and stop token, in calls, maps and streams") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    CHECK(pool.apply(describe) == "/1/go");
    auto labelled = pool.with({.label = "job"});
    CHECK(labelled.apply(describe) == "job/1/go");
    CHECK(labelled.map([](int) { return describe(); }, {1, 2}) ==
          std::vector<std::string>{"job/1/go", "job/1/go"});
    CHECK(labelled.imap([](int) { return describe(); }, {1}).next(patience) == "job/1/go");
    CHECK(pool.apply(describe) == "/1/go"); // nothing is left of the former
}

TEST_CASE("a thread is asked to stop when its task is cancelled or late") {
    coproc::pool pool{on("dummy", 1)};
    static gate stopped;
    static gate entered;
    const auto obedient = [] {
        entered.set();
        const auto token = coproc::this_task::stop_token();
        if (eventually([&] { return token.stop_requested(); })) stopped.set();
        return 1;
    };
    auto h = pool.apply_async(obedient);
    REQUIRE(entered.wait());
    CHECK(h.cancel());
    CHECK_THROWS_AS(h.get(patience), coproc::cancelled_error);
    CHECK(stopped.wait());
    static gate late;
    auto timed = pool.with({.timeout = 1ms}).apply_async([] {
        const auto token = coproc::this_task::stop_token();
        if (eventually([&] { return token.stop_requested(); })) late.set();
    });
    CHECK_THROWS_AS(timed.get(patience), coproc::timeout_error);
    CHECK(late.wait());
    CHECK(pool.apply([] { return 2; }) == 2);
}

TEST_CASE("the last progress of a task comes through, however fast they are") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    std::atomic<std::uint64_t> last{0};
    std::atomic<int> calls{0};
    auto busy = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    auto h = pool.apply_async([] {
        for (std::uint64_t i = 1; i <= 10'000; ++i)
            coproc::this_task::report_progress(i, 0);
    });
    h.on_progress([&](std::uint64_t done, std::uint64_t total) {
        ++calls;
        last = done;
        if (total != 0) last = 0;
    });
    raise_sign(seen.path("out"));
    h.get();
    CHECK(eventually([&] { return last == 10'000; }));
    CHECK(calls <= 10'000);
}
