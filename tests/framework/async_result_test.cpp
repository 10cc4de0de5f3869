// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The handle of a result: waiting, callbacks, progress, futures, completion tokens, cancelling.
// Coroutines are in coroutine_test.cpp.

#include <coproc/async_result.hpp>

#include "pools.hpp"

#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <string>

namespace {

using namespace coproc_test;

int square(int x) { return x * x; }
int fail(int x) { throw std::out_of_range{"no " + std::to_string(x)}; }

/// Values in the order in which callbacks brought them.
template <class T>
class inbox {
public:
    void add(T value) {
        const std::scoped_lock lock{mutex_};
        values_.push_back(std::move(value));
    }
    bool wait_for(std::size_t n) const {
        return eventually([&] { return all().size() >= n; });
    }
    std::vector<T> all() const {
        const std::scoped_lock lock{mutex_};
        return values_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<T> values_;
};

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    }
}

} // namespace

TEST_CASE("a result is taken once") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto h = pool.apply_async(square, 3);
    CHECK(h.valid());
    CHECK(h.get() == 9);
    CHECK(h.valid());
    CHECK(h.ready());
    CHECK(h.successful());
    CHECK_THROWS_AS(h.get(), std::future_error);
    CHECK_THROWS_AS(h.get(1ms), std::future_error);
    CHECK_THROWS_AS(h.future().get(), std::future_error);

    auto failed = pool.apply_async(fail, 1);
    CHECK_THROWS_AS(failed.get(), std::out_of_range);
    CHECK_THROWS_AS(failed.get(), std::out_of_range); // an error may be looked at again
    auto nothing = pool.apply_async([] {});
    nothing.get();
    CHECK(nothing.successful());
}

TEST_CASE("a get that times out leaves the handle usable") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend)};
    auto h = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    for (int i = 0; i < 3; ++i) {
        const auto error = thrown<coproc::timeout_error>([&] { h.get(1ms); });
        REQUIRE(error);
        CHECK(error->kind() == coproc::timeout_error::waiting);
    }
    CHECK_FALSE(h.wait(0s));
    CHECK_FALSE(h.wait(-1s));
    CHECK_FALSE(h.wait(0.001s));
    CHECK_FALSE(h.ready());
    CHECK_FALSE(h.successful());
    raise_sign(seen.path("out"));
    CHECK(h.wait(std::chrono::hours::max()));
    h.wait();
    CHECK(h.get(patience) == 1);
}

TEST_CASE("an empty handle") {
    coproc::async_result<int> h;
    CHECK_FALSE(h.valid());
    CHECK_THROWS_AS(h.get(), std::future_error);
    CHECK_THROWS_AS(h.get(1s), std::future_error);
    CHECK_THROWS_AS(h.wait(), std::future_error);
    CHECK_THROWS_AS(h.wait(1s), std::future_error);
    CHECK_THROWS_AS(h.ready(), std::future_error);
    CHECK_THROWS_AS(h.successful(), std::future_error);
    CHECK_THROWS_AS(h.cancel(), std::future_error);
    CHECK_THROWS_AS(h.then([](int) {}), std::future_error);
    CHECK_THROWS_AS(h.on_progress([](std::uint64_t, std::uint64_t) {}), std::future_error);
    CHECK_THROWS_AS(h.future(), std::future_error);
    CHECK_THROWS_AS(h.async_get(asio::use_future), std::future_error);
    CHECK_THROWS_AS(coproc::when_all(std::move(h)), std::future_error);

    STATIC_REQUIRE(!std::is_copy_constructible_v<coproc::async_result<int>>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<coproc::async_result<int>>);
    coproc::pool pool{on("dummy", 1)};
    auto given = pool.apply_async(square, 2);
    h = std::move(given);
    CHECK(h.valid());
    CHECK_FALSE(given.valid()); // NOLINT(bugprone-use-after-move)
    CHECK(h.get() == 4);
}

TEST_CASE("then calls back before and after completion, in order") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend)};
    inbox<int> got;
    auto h = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    auto& same = h.then([&](const int& v) { got.add(10 + v); });
    CHECK(&same == &h);
    h.then([&](int v) { got.add(20 + v); }, [](const std::exception_ptr&) {}).then([&](auto v) {
        got.add(30 + v);
    });
    CHECK(got.all().empty());
    raise_sign(seen.path("out"));
    REQUIRE(got.wait_for(3));
    h.wait();
    h.then([&](int v) { got.add(40 + v); });
    REQUIRE(got.wait_for(4));
    CHECK(got.all() == std::vector<int>{11, 21, 31, 41});
    CHECK(h.get() == 1); // the value is still there to be taken

    auto moved = pool.apply_async(square, 5).then([&](const int& v) { got.add(v); });
    STATIC_REQUIRE(std::is_same_v<decltype(moved), coproc::async_result<int>>);
    CHECK(moved.get() == 25);
    CHECK(got.wait_for(5));
    pool.apply_async([] {}).then([&] { got.add(0); });
    CHECK(got.wait_for(6));
    pool.map_async(square, {1, 2}).then([&](const std::vector<int>& v) { got.add(v.at(1)); });
    CHECK(got.wait_for(7));
    // A value that only moves can be seen and taken too.
    auto owner = pool.apply_async([] { return std::make_unique<int>(8); });
    owner.then([&](const std::unique_ptr<int>& p) { got.add(*p); });
    CHECK(*owner.get() == 8);
    CHECK(got.wait_for(8));
}

TEST_CASE("the error callback gets what was thrown") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    coproc::pool pool{on(backend)};
    inbox<std::string> got;
    const auto never = [&](int) { got.add("a value"); };
    pool.apply_async(fail, 1).then(never, [&](std::exception_ptr e) { got.add(text_of(e)); });
    REQUIRE(got.wait_for(1));
    pool.apply_async(fail, 2).then(never, [&](const std::exception& e) { got.add(e.what()); });
    REQUIRE(got.wait_for(2));
    auto done = pool.apply_async(fail, 3);
    done.wait();
    done.then(nullptr, [&](std::exception_ptr e) { got.add(text_of(e)); });
    REQUIRE(got.wait_for(3));
    pool.map_async(fail, {4}).then([](const std::vector<int>&) {},
                                   [&](std::exception_ptr e) { got.add(text_of(e)); });
    REQUIRE(got.wait_for(4));
    CHECK(got.all() == std::vector<std::string>{"no 1", "no 2", "no 3", "no 4"});
    done = {};
    CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
}

TEST_CASE("a callback that throws is logged with the label of its task") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    captured_log log;
    coproc::pool pool{on(backend)};
    const auto told = [&](const std::string& what) {
        return eventually([&] { return log.count(coproc::log_kind::callback_error, what) == 1; });
    };
    const auto breaks = [](const std::string& what) {
        return [what](const auto&...) { throw std::runtime_error{what}; };
    };
    const auto named = pool.with({.label = "nightly"});
    named.apply_async(square, 3).then(breaks("one")).wait();
    CHECK(told("a callback of task \"nightly\" threw:\n"));
    named.apply_async(fail, 3).then(nullptr,
                                    [](std::exception_ptr) { throw std::runtime_error{"two"}; });
    CHECK(eventually([&] { return log.count(coproc::log_kind::callback_error, "two") == 1; }));
    CHECK(log.count(coproc::log_kind::callback_error, "a callback of task \"nightly\"") == 2);
    pool.with({.label = "of a map"}).map_async(square, {1, 2}).then(breaks("three"));
    CHECK(told("a callback of task \"of a map\" threw:\n"));
    auto reports = pool.with({.label = "progress"})
                       .apply_async(
                           [](const std::string& listened) {
                               await_sign(listened);
                               coproc::this_task::report_progress(1, 2);
                           },
                           seen.path("listened"));
    reports.on_progress(breaks("four"));
    raise_sign(seen.path("listened"));
    reports.wait();
    CHECK(told("a callback of task \"progress\" threw:\n"));
    pool.apply_async(square, 3).then(breaks("five"));
    CHECK(told("a callback threw:\n"));
    coproc::when_all(named.apply_async(square, 1), named.apply_async(square, 2))
        .then(breaks("six"));
    CHECK(eventually([&] { return log.count(coproc::log_kind::callback_error, "six") == 1; }));
}

TEST_CASE("a callback that throws goes to the log hook") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    coproc::pool pool{on(backend)};
    auto h = pool.apply_async(square, 3);
    inbox<int> got;
    h.then([](int) { throw std::runtime_error{"callback broke"}; }).then([&](int v) {
        got.add(v);
    });
    REQUIRE(got.wait_for(1));
    CHECK(eventually(
        [&] { return log.count(coproc::log_kind::callback_error, "callback broke") == 1; }));
    CHECK(h.get() == 9);
    pool.apply_async(fail, 1).then(
        [](int) {}, [](std::exception_ptr) { throw std::runtime_error{"error callback broke"}; });
    CHECK(eventually(
        [&] { return log.count(coproc::log_kind::callback_error, "error callback broke") == 1; }));
    pool.apply_async([] { coproc::this_task::report_progress(1, 2); })
        .on_progress(
            [](std::uint64_t, std::uint64_t) { throw std::runtime_error{"progress broke"}; })
        .get();
    pool.apply(square, 1);
}

TEST_CASE("an error nobody looked at goes to the log hook; one that was does not") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    coproc::pool pool{on(backend)};
    pool.with({.label = "forgotten"}).apply_async(fail, 77);
    CHECK(eventually([&] { return log.count(coproc::log_kind::unobserved_error, "no 77") == 1; }));
    CHECK(log.count(coproc::log_kind::unobserved_error, "forgotten") == 1);
    pool.map_async(fail, {78});
    CHECK(eventually([&] { return log.count(coproc::log_kind::unobserved_error, "no 78") == 1; }));
    {
        auto h = pool.apply_async(fail, 79);
        h.then([](int) {}); // without an error callback nobody has looked
        h.wait();
    }
    CHECK(eventually([&] { return log.count(coproc::log_kind::unobserved_error, "no 79") == 1; }));
    {
        auto h = pool.apply_async(fail, 80);
        CHECK_THROWS(h.get());
    }
    {
        auto future = pool.apply_async(fail, 81).future();
        CHECK_THROWS(future.get());
    }
    // What the caller dropped on purpose is no news.
    signs seen;
    {
        auto h = pool.apply_async(hold, seen.path("in"), seen.path("never"));
        CHECK(h.cancel());
    }
    pool.close();
    pool.join();
    CHECK(log.count(coproc::log_kind::unobserved_error) == 3);
}

TEST_CASE("progress of a task and of a map") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    using report = std::pair<std::uint64_t, std::uint64_t>;
    inbox<report> got;
    const auto note = [&](std::uint64_t done, std::uint64_t total) { got.add({done, total}); };

    auto busy = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    auto h = pool.apply_async(
        [](const std::string& leave) {
            coproc::this_task::report_progress(1, 3);
            await_sign(leave);
            coproc::this_task::report_progress(2, 3);
            coproc::this_task::report_progress(3, 3);
            return 5;
        },
        seen.path("second"));
    auto& same = h.on_progress(note);
    CHECK(&same == &h);
    raise_sign(seen.path("out"));
    REQUIRE(got.wait_for(1)); // arrives while the task runs
    CHECK(got.all().front() == report{1, 3});
    CHECK_FALSE(h.ready());
    raise_sign(seen.path("second"));
    CHECK(h.get() == 5);
    CHECK(eventually([&] { return got.all().back() == report{3, 3}; }));

    inbox<report> of_map;
    auto wait = pool.apply_async(hold, seen.path("in2"), seen.path("out2"));
    auto map = pool.map_async(square, std::views::iota(0, 100))
                   .on_progress(
                       [&](std::uint64_t done, std::uint64_t total) { of_map.add({done, total}); });
    STATIC_REQUIRE(std::is_same_v<decltype(map), coproc::async_result<std::vector<int>>>);
    raise_sign(seen.path("out2"));
    CHECK(map.get().size() == 100);
    CHECK(eventually(
        [&] { return !of_map.all().empty() && of_map.all().back() == report{100, 100}; }));
    CHECK(std::ranges::is_sorted(of_map.all()));
}

TEST_CASE("a result as a std::future") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::future<int> value = pool.apply_async(square, 3).future();
    CHECK(value.get() == 9);
    std::future<void> nothing = pool.apply_async([] {}).future();
    nothing.get();
    CHECK_THROWS_AS(pool.apply_async(fail, 3).future().get(), std::out_of_range);
    CHECK(pool.map_async(square, {1, 2}).future().get() == std::vector<int>{1, 4});
    auto h = pool.apply_async(square, 4);
    h.wait();
    CHECK(h.future().get() == 16);
    // With a callback that looks at a value which can only be moved.
    inbox<int> got;
    auto owner = pool.apply_async([] { return std::make_unique<int>(8); });
    owner.then([&](const std::unique_ptr<int>& p) { got.add(*p); });
    CHECK(*owner.future().get() == 8);
    CHECK(got.wait_for(1));
}

TEST_CASE("completion tokens: callbacks, futures, deferred, bound executors") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    asio::io_context context;
    const auto here = std::this_thread::get_id();
    int calls = 0;
    const auto check = [&](std::exception_ptr error, int value) {
        ++calls;
        CHECK_FALSE(error);
        CHECK(value == 49);
        CHECK(std::this_thread::get_id() == here); // on the handler's executor
    };
    pool.apply_async(square, 7).async_get(asio::bind_executor(context, check));
    auto h = pool.apply_async(square, 7);
    h(asio::bind_executor(context, check));
    auto done = pool.apply_async(square, 7);
    done.wait();
    done.async_get(asio::bind_executor(context, check));
    CHECK(calls == 0); // never from within the call
    context.run_for(patience);
    CHECK(calls == 3);

    CHECK(pool.apply_async(square, 3).async_get(asio::use_future).get() == 9);
    CHECK(pool.apply_async(square, 3)(asio::use_future).get() == 9);
    pool.apply_async([] {}).async_get(asio::use_future).get();
    CHECK_THROWS_AS(pool.apply_async(fail, 3).async_get(asio::use_future).get(), std::out_of_range);
    auto lazy = pool.apply_async(square, 6).async_get(); // deferred by default
    CHECK(std::move(lazy)(asio::use_future).get() == 36);
    auto named = pool.apply_async(square, 6).async_get(asio::deferred);
    CHECK(std::move(named)(asio::use_future).get() == 36);

    std::string text;
    pool.apply_async(fail, 9).async_get(
        asio::bind_executor(context, [&](std::exception_ptr e, int value) {
            text = text_of(e);
            CHECK(value == 0);
        }));
    bool voided = false;
    pool.apply_async([] {}).async_get(
        asio::bind_executor(context, [&](std::exception_ptr e) { voided = !e; }));
    // A handler that can only be moved.
    auto owned = std::make_unique<int>(1);
    pool.apply_async(square, 2).async_get(asio::bind_executor(
        context, [&, owned = std::move(owned)](std::exception_ptr, int v) { calls = *owned + v; }));
    context.restart();
    context.run_for(patience);
    CHECK(text == "no 9");
    CHECK(voided);
    CHECK(calls == 5);

    auto strand = asio::make_strand(context);
    bool on_strand = false;
    pool.apply_async(square, 2).async_get(asio::bind_executor(
        strand, [&](std::exception_ptr, int) { on_strand = strand.running_in_this_thread(); }));
    context.restart();
    context.run_for(patience);
    CHECK(on_strand);
}

TEST_CASE("a cancellation slot cancels the task") {
    const auto backend = each_backend();
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    asio::io_context context;
    asio::cancellation_signal signal;
    std::exception_ptr error;
    pool.apply_async(hold, seen.path("in"), seen.path("never"))
        .async_get(asio::bind_cancellation_slot(
            signal.slot(),
            asio::bind_executor(context, [&](std::exception_ptr e, int) { error = e; })));
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    signal.emit(type);
    context.run_for(patience);
    REQUIRE(error);
    CHECK_THROWS_AS(std::rethrow_exception(error), coproc::cancelled_error);
    signal.emit(type); // nothing is left to be cancelled
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("cancel drops what waits and stops what runs") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto running =
        pool.with({.label = "long"}).apply_async(hold, seen.path("in"), seen.path("never"));
    auto queued = pool.apply_async(hold, seen.path("queued"), seen.path("never"));
    auto map = pool.map_async(square, {1, 2, 3});
    auto next = pool.apply_async(square, 3);
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    CHECK(queued.cancel());
    CHECK(map.cancel());
    CHECK_THROWS_AS(queued.get(patience), coproc::cancelled_error);
    CHECK_THROWS_AS(map.get(patience), coproc::cancelled_error);
    CHECK_FALSE(queued.cancel());
    CHECK_FALSE(next.ready());
    CHECK(running.cancel());
    const auto where = thrown<coproc::task_failure>([&] { running.get(patience); });
    REQUIRE(where);
    CHECK(where->label() == "long");
    CHECK(next.get(patience) == 9);
    CHECK_FALSE(next.cancel());
    CHECK_FALSE(sees_sign(seen.path("queued")));
    CHECK(pool.stats().cancelled == 3);
}

TEST_CASE("dropping a handle does not cancel the task") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    pool.apply_async([](const std::string& path) { raise_sign(path); }, seen.path("ran"));
    pool.close();
    pool.join();
    CHECK(sees_sign(seen.path("ran")));
}

TEST_CASE("several threads wait for one result") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    const auto h = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    std::atomic<int> woken{0};
    std::vector<std::thread> waiting;
    for (int i = 0; i < 4; ++i)
        waiting.emplace_back([&] {
            h.wait();
            if (h.successful()) ++woken;
        });
    raise_sign(seen.path("out"));
    for (auto& each : waiting)
        each.join();
    CHECK(woken == 4);
}

TEST_CASE("callbacks run on no thread of the caller's nor of the reactor") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    inbox<std::pair<std::thread::id, std::string>> got;
    const auto note = [&](int) {
        std::string name;
        std::getline(std::ifstream{"/proc/thread-self/comm"}, name);
        got.add({std::this_thread::get_id(), name});
    };
    auto h = pool.apply_async(square, 3);
    h.then(note);
    h.wait();
    h.then(note);
    REQUIRE(got.wait_for(2));
    for (const auto& [thread, name] : got.all()) {
        CHECK(thread != std::this_thread::get_id());
        CHECK(name != "coproc-reactor");
    }
}

TEST_CASE("a callback may use the pool, wait for it, and end it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    inbox<int> got;
    auto pool = std::make_unique<coproc::pool>(on(backend));
    pool->apply_async(square, 3).then([&](int v) { got.add(pool->apply(square, v)); });
    REQUIRE(got.wait_for(1));
    // A value that cannot be copied, looked at while it is also awaited: nobody waits for the
    // callback who must not.
    auto owner = pool->apply_async([] { return std::make_unique<int>(5); });
    owner.then([&](const std::unique_ptr<int>& p) { got.add(pool->apply(square, *p)); });
    auto future = owner.future();
    REQUIRE(future.wait_for(patience) == std::future_status::ready);
    CHECK(*future.get() == 5);
    auto another = pool->apply_async([] {
        std::vector<std::unique_ptr<int>> owners;
        owners.push_back(std::make_unique<int>(6));
        return owners;
    });
    another.then(
        [&](const std::vector<std::unique_ptr<int>>& v) { got.add(pool->apply(square, *v[0])); });
    auto all = coproc::when_all(std::move(another));
    CHECK(*std::get<0>(all.get(patience))[0] == 6);
    REQUIRE(got.wait_for(3));
    CHECK(got.all() == std::vector<int>{81, 25, 36});
    pool->apply_async(square, 1).then([&](int v) {
        pool.reset();
        got.add(v);
    });
    REQUIRE(got.wait_for(4));
    CHECK_FALSE(pool);
}

TEST_CASE("a waiting thread is woken by cancel and by the end of the pool") {
    const auto backend = each_backend();
    const bool by_cancel = GENERATE(true, false);
    CAPTURE(backend, by_cancel);
    signs seen;
    std::optional<coproc::pool> pool{on(backend, 1)};
    auto h = pool->apply_async(hold, seen.path("in"), seen.path("never"));
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    std::atomic<bool> cancelled{false};
    std::thread waiting{[&] {
        try {
            h.get();
        } catch (const coproc::cancelled_error&) {
            cancelled = true;
        }
    }};
    if (by_cancel)
        CHECK(h.cancel());
    else
        pool.reset();
    waiting.join();
    CHECK(cancelled);
}

TEST_CASE("a callback that comes when the value has been taken is told so") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 1)};
    auto h = pool.apply_async(square, 3);
    CHECK(h.get() == 9);
    std::promise<std::exception_ptr> told;
    h.then([&](int) { told.set_value(nullptr); },
           [&](const std::exception_ptr& e) { told.set_value(e); });
    auto future = told.get_future();
    REQUIRE(future.wait_for(patience) == std::future_status::ready);
    const auto error = future.get();
    REQUIRE(error);
    CHECK_THROWS_AS(std::rethrow_exception(error), std::future_error);
}

namespace {

std::unique_ptr<int> boxed(int x) { return std::make_unique<int>(x); }
std::map<int, std::string> mapped(int x) { return {{x, std::string(1000, 'x')}}; }

} // namespace

TEST_CASE("a value that callbacks see first blocks neither their loop nor longer than asked for") {
    const auto backend = each_backend();
    CAPTURE(backend);
    asio::io_context context;
    auto options = on(backend, 1);
    options.callback_executor = context.get_executor();
    coproc::pool pool{options};
    bool seen = false;
    const auto shown = [&] { // it may still be about to be posted
        context.restart();
        context.poll();
        return seen;
    };
    SECTION("awaited where its callbacks run") {
        bool taken = false;
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> {
                auto h = pool.apply_async(boxed, 5);
                h.then([&](const std::unique_ptr<int>& x) { seen = *x == 5; });
                const auto x = co_await std::move(h);
                taken = *x == 5;
                CHECK(seen);
            },
            [](const std::exception_ptr& error) { CHECK_FALSE(error); });
        context.run_for(patience);
        CHECK(taken);
    }
    SECTION("waited for, while their loop does not run") {
        auto h = pool.apply_async(boxed, 5);
        h.then([&](const std::unique_ptr<int>& x) { seen = *x == 5; });
        CHECK_THROWS_AS(h.get(100ms), coproc::timeout_error);
        CHECK(eventually(shown));
        CHECK(*h.get(patience) == 5);
    }
    SECTION("of copies nobody has to wait") {
        auto h = pool.apply_async(mapped, 5);
        h.then([&](const std::map<int, std::string>& x) { seen = x.contains(5); });
        CHECK(h.get(patience).size() == 1);
        CHECK(eventually(shown));
    }
    CHECK(seen);
}
