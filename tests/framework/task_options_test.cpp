// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a call may ask for, with(...) against the pool's defaults, and duration.

#include <coproc/task_options.hpp>

#include "pools.hpp"

#include <csignal>
#include <limits>
#include <map>
#include <set>

namespace {

using namespace coproc_test;

int square(int x) { return x * x; }

/// Who runs this: a process, or a thread.
std::pair<int, std::size_t> whoami() {
    return {::getpid(), std::hash<std::thread::id>{}(std::this_thread::get_id())};
}

template <class R>
coproc::timeout_kind kind_of(coproc::async_result<R>& h) {
    const auto error = thrown<coproc::timeout_error>([&] { h.get(patience); });
    return error ? error->kind() : coproc::timeout_kind::waiting;
}

} // namespace

TEST_CASE("options of a call go before those of the pool, field by field") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = on(backend, 1);
    auto text = std::make_unique<std::string>("by default");
    options.defaults = {.timeout = 1ms, .label = *text};
    coproc::pool pool{options};
    text.reset(); // it has been copied
    const auto label = [] { return coproc::this_task::label(); };
    const auto endless = [] { return await_sign("/nowhere"); };
    auto generous = pool.with({.timeout = patience});
    CHECK(generous.apply(label) == "by default");
    CHECK(generous.with({.label = "own"}).apply(label) == "own");
    CHECK(pool.with({.timeout = patience, .label = "mine"}).apply(label) == "mine");
    CHECK(pool.with({.label = "view"}).with({.timeout = patience}).apply(label) == "view");
    CHECK_THROWS_AS(pool.apply(endless), coproc::timeout_error);
    const auto error =
        thrown<coproc::task_failure>([&] { pool.with({.label = "late"}).apply(endless); });
    REQUIRE(error);
    CHECK(error->label() == "late");
    CHECK(generous.map(square, {2}) == std::vector<int>{4});
    CHECK(generous.map_async(square, {2}).get() == std::vector<int>{4});
    CHECK(generous.starmap([](int a, int b) { return a + b; }, {std::pair{1, 2}}) ==
          std::vector<int>{3});
    CHECK(generous.imap(square, {2}).next(patience) == 4);
    CHECK(generous.imap_unordered(square, {2}).next(patience) == 4);
}

TEST_CASE("a label is copied at submit") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 1)};
    auto text = std::make_unique<std::string>("a label that is longer than a small string");
    auto h = pool.with({.label = *text}).apply_async([] { return coproc::this_task::label(); });
    text->assign(text->size(), 'x');
    text.reset();
    CHECK(h.get() == "a label that is longer than a small string");
    CHECK(pool.apply([] { return coproc::this_task::label(); }).empty());
}

TEST_CASE("a timeout counts from when the task starts, queue_timeout until then") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto busy = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    auto waits = pool.with({.timeout = 10s}).apply_async(square, 3);
    auto gives_up = pool.with({.queue_timeout = 1ms}).apply_async(square, 4);
    auto patient = pool.with({.queue_timeout = 1h}).apply_async(square, 5);
    auto map = pool.with({.queue_timeout = 1ms}).map_async(square, {1, 2});
    CHECK(kind_of(gives_up) == coproc::timeout_kind::queued);
    CHECK(kind_of(map) == coproc::timeout_kind::queued);
    for (const bool in_order : {true, false}) {
        const auto hurried = pool.with({.queue_timeout = 1ms});
        auto items = in_order ? hurried.imap(square, {1, 2}) : hurried.imap_unordered(square, {1});
        const auto error = thrown<coproc::timeout_error>([&] { items.next(patience); });
        REQUIRE(error);
        CHECK(error->kind() == coproc::timeout_kind::queued);
        CHECK_FALSE(items.next(patience));
    }
    CHECK_FALSE(waits.ready());
    raise_sign(seen.path("out"));
    CHECK(waits.get(patience) == 9);
    CHECK(patient.get(patience) == 25);

    auto late = pool.with({.timeout = 20ms, .label = "late"})
                    .apply_async(hold, seen.path("in2"), seen.path("never"));
    CHECK(kind_of(late) == coproc::timeout_kind::running);
    const auto where = thrown<coproc::task_failure>([&] { late.get(); });
    REQUIRE(where);
    CHECK(where->label() == "late");
    CHECK(where->worker_pid() > 0);
    CHECK(pool.apply(square, 6) == 36);

    // For each item of a map by itself.
    auto items = pool.with({.timeout = 5s, .chunk_size = 1})
                     .map_async([](int i) { return i; }, std::views::iota(0, 500));
    CHECK(items.get(patience).size() == 500);
    auto one_late =
        pool.with({.timeout = 50ms})
            .map_async(coproc::bind_front([](const std::string& in, const std::string& out,
                                             int i) { return i == 4 ? hold(in, out) : i; },
                                          seen.path("in3"), seen.path("never")),
                       std::views::iota(0, 5));
    const auto item = thrown<coproc::task_failure>([&] { one_late.get(patience); });
    REQUIRE(item);
    CHECK(item->index() == 4);
    // No time at all.
    auto at_once =
        pool.with({.timeout = 0s}).apply_async(hold, seen.path("in4"), seen.path("never"));
    CHECK(kind_of(at_once) == coproc::timeout_kind::running);
    // All the time there is.
    CHECK(pool.with({.timeout = std::chrono::hours::max(),
                     .queue_timeout = std::chrono::hours::max()})
              .apply(square, 2) == 4);
}

TEST_CASE("a higher priority goes first, equal ones in order") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto busy = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    const auto count = coproc::bind_front(
        [](const std::string& path) {
            int n = 0;
            for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{path})
                ++n;
            raise_sign(path + "/task" + std::to_string(n));
            return n;
        },
        seen.path(""));
    std::vector<coproc::async_result<int>> handles;
    for (const int priority : {0, -1, 5, 0, 7, 5})
        handles.push_back(pool.with({.priority = priority}).apply_async(count));
    raise_sign(seen.path("out"));
    std::map<int, std::size_t> order;
    for (std::size_t i = 0; i < handles.size(); ++i)
        order[handles[i].get(patience)] = i;
    std::vector<std::size_t> places;
    for (const auto& [n, i] : order)
        places.push_back(i);
    CHECK(places == std::vector<std::size_t>{4, 2, 5, 0, 3, 1});
}

TEST_CASE("chunk_size items go to a worker at a time") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 2)};
    const auto who =
        pool.with({.chunk_size = 5}).map([](int) { return whoami(); }, std::views::iota(0, 50));
    for (std::size_t i = 0; i < who.size(); ++i)
        CHECK(who[i] == who[i - i % 5]);
    CHECK(pool.with({.chunk_size = 1000}).map(square, {1, 2}) == std::vector<int>{1, 4});
    CHECK(pool.with({.chunk_size = std::numeric_limits<std::size_t>::max()}).map(square, {1, 2}) ==
          std::vector<int>{1, 4});
}

TEST_CASE("retries are for lost workers, and attempt() counts them") {
    coproc::pool pool{on("process", 1)};
    const auto dies_until = [](unsigned last) {
        if (coproc::this_task::attempt() < last) ::raise(SIGKILL);
        return coproc::this_task::attempt();
    };
    CHECK(pool.apply(dies_until, 1U) == 1);
    CHECK(pool.with({.retries = 2}).apply(dies_until, 3U) == 3);
    CHECK(pool.stats().retried == 2);
    CHECK_THROWS_AS(pool.apply(dies_until, 2U), coproc::worker_lost_error);
    const auto lost = thrown<coproc::worker_lost_error>(
        [&] { pool.with({.retries = 1, .label = "doomed"}).apply(dies_until, 9U); });
    REQUIRE(lost);
    CHECK(lost->exit_code() == -SIGKILL);
    CHECK(lost->signal_name() == "SIGKILL");
    CHECK(lost->label() == "doomed");
    CHECK(lost->pid() > 0);
    CHECK(pool.stats().workers_lost == 5);
    // An exception is an answer.
    signs seen;
    CHECK_THROWS_AS(pool.with({.retries = 3})
                        .apply(
                            [](const std::string& path) {
                                raise_sign(path + std::to_string(coproc::this_task::attempt()));
                                throw std::runtime_error{"no"};
                            },
                            seen.path("try")),
                    std::runtime_error);
    CHECK(seen.count("try") == 1);
    // In a map it is the item that is tried again, the others are not.
    const auto attempts = pool.with({.retries = 1})
                              .map(
                                  [](int i) {
                                      if (i == 3 && coproc::this_task::attempt() == 1)
                                          ::raise(SIGKILL);
                                      return coproc::this_task::attempt();
                                  },
                                  std::views::iota(0, 6));
    CHECK(attempts == std::vector<unsigned>{1, 1, 1, 2, 1, 1});
}

TEST_CASE("durations saturate instead of overflowing") {
    using coproc::duration;
    using std::chrono::nanoseconds;
    STATIC_REQUIRE(duration{2s} == nanoseconds{2'000'000'000});
    STATIC_REQUIRE(duration{std::chrono::hours::max()} == nanoseconds::max());
    STATIC_REQUIRE(duration{std::chrono::hours::min()} == nanoseconds::min());
    CHECK(duration{std::chrono::duration<double>{0.5}} == nanoseconds{500'000'000});
    CHECK(duration{std::chrono::duration<double>{1e300}} == nanoseconds::max());
    CHECK(duration{std::chrono::duration<double>{-1e300}} == nanoseconds::min());
    CHECK(duration{std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}} ==
          nanoseconds{0});
    CHECK(duration{std::chrono::duration<float, std::ratio<86400 * 365>>{1e9F}} ==
          nanoseconds::max());
}
