// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Results and streams in coroutines: every form of co_await in asio::awaitable, completion tokens
// and groups around them, cancellation, coroutines of another kind, and the forms that g++ 12
// compiles safely (run under ASan).

#include <coroutine>

#include "pools.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <map>
#include <memory>

namespace {

using namespace coproc_test;
using namespace std::string_literals;

int square(int x) { return x * x; }
int fail(int x) { throw std::out_of_range{"no " + std::to_string(x)}; }
std::string join(const std::string& a, const std::string& b) { return a + b; }
std::vector<int> some_numbers() { return {1, 2, 3}; }
/// Not CHECK itself around a co_await: g++ 12 evaluates it twice there.
void expect(bool holds) { CHECK(holds); }
std::string some_text(int n) {
    return "a text that is longer than what fits into a string " + std::to_string(n);
}

/// A coroutine type that knows nothing of Asio: starts at once, and can be waited for.
template <class T>
class foreign {
public:
    struct promise_type {
        std::promise<T> result;
        foreign get_return_object() { return foreign{result.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_value(T value) { result.set_value(std::move(value)); }
        void unhandled_exception() { result.set_exception(std::current_exception()); }
    };

    T get() {
        if (future_.wait_for(patience) != std::future_status::ready)
            throw std::runtime_error{"the coroutine did not end"};
        return future_.get();
    }

private:
    explicit foreign(std::future<T> future) : future_{std::move(future)} {}
    std::future<T> future_;
};

} // namespace

TEST_CASE("co_await a call, a map, a handle, directly") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p) -> asio::awaitable<void> {
        int direct = co_await p.apply_async(square, 3);
        CHECK(direct == 9);
        auto h = p.apply_async(square, 4);
        int moved = co_await std::move(h);
        CHECK(moved == 16);
        co_await p.apply_async([] {});
        const auto inputs = some_numbers();
        auto list = co_await p.map_async(square, inputs);
        CHECK(list == std::vector<int>{1, 4, 9});
        const std::map<int, int> pairs{{1, 2}, {3, 4}};
        auto stars = co_await p.starmap_async([](int a, int b) { return a + b; }, pairs);
        CHECK(stars == std::vector<int>{3, 7});
        co_await p.map_async([](int) {}, inputs);
        auto done = p.apply_async(square, 5);
        done.wait();
        int ready = co_await std::move(done);
        CHECK(ready == 25);
        auto owner = co_await p.apply_async([] { return std::make_unique<int>(6); });
        CHECK(*owner == 6);
        auto text = co_await p.apply_async(join, "a", "b");
        CHECK(text == "ab");
    }(pool));
}

TEST_CASE("co_await throws what the task threw") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p) -> asio::awaitable<void> {
        std::string text;
        try {
            co_await p.apply_async(fail, 1);
        } catch (const std::out_of_range& e) {
            text = e.what();
        }
        CHECK(text == "no 1");
        std::size_t index = 0;
        try {
            co_await p.map_async([](int i) { return i == 2 ? fail(i) : i; },
                                 std::views::iota(0, 5));
        } catch (const coproc::task_failure& e) {
            index = e.index();
        }
        CHECK(index == 2);
        bool late = false;
        try {
            co_await p.with({.timeout = 1ms}).apply_async([] { return await_sign("/nowhere"); });
        } catch (const coproc::timeout_error& e) {
            late = e.kind() == coproc::timeout_error::running;
        }
        CHECK(late);
    }(pool));
}

TEST_CASE("completion tokens in a coroutine: use_awaitable, deferred, as_tuple, redirect_error of "
          "their kind") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p) -> asio::awaitable<void> {
        int a = co_await p.apply_async(square, 3).async_get(asio::use_awaitable);
        int b = co_await p.apply_async(square, 4).async_get(asio::deferred);
        int c = co_await p.apply_async(square, 5).async_get();
        CHECK(a + b + c == 50);
        auto h = p.apply_async(square, 6);
        expect(co_await h(asio::use_awaitable) == 36);
        auto [error, value] =
            co_await p.apply_async(square, 7).async_get(asio::as_tuple(asio::use_awaitable));
        CHECK_FALSE(error);
        CHECK(value == 49);
        auto failed = co_await p.apply_async(fail, 7).async_get(asio::as_tuple(asio::deferred));
        CHECK(std::get<0>(failed));
        CHECK(std::get<1>(failed) == 0);
        auto nothing = co_await p.apply_async([] {}).async_get(asio::as_tuple(asio::use_awaitable));
        CHECK_FALSE(std::get<0>(nothing));
        int chained = co_await p.apply_async(square, 2).async_get(asio::deferred(
            [](std::exception_ptr e, int v) { return asio::deferred.values(e, v + 1); }));
        CHECK(chained == 5);
    }(pool));
}

TEST_CASE("a coroutine resumes on its own executor") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    asio::io_context context;
    auto strand = asio::make_strand(context);
    run(context,
        [](coproc::pool& p, std::thread::id here,
           asio::strand<asio::io_context::executor_type> s) -> asio::awaitable<void> {
            for (int i = 0; i < 20; ++i) {
                int v = co_await p.apply_async(square, i);
                CHECK(v == i * i);
                CHECK(std::this_thread::get_id() == here);
            }
            co_await asio::post(asio::bind_executor(s, asio::use_awaitable));
            co_await p.apply_async(square, 1);
            CHECK(std::this_thread::get_id() == here);
        }(pool, std::this_thread::get_id(), strand));
}

TEST_CASE("the event loop goes on while workers compute") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p, const signs& marks) -> asio::awaitable<void> {
        auto h = p.apply_async(hold, marks.path("in"), marks.path("out"));
        asio::steady_timer ticker{co_await asio::this_coro::executor};
        for (int tick = 0; tick < 5; ++tick) {
            ticker.expires_after(1ms);
            co_await ticker.async_wait(asio::use_awaitable);
        }
        CHECK_FALSE(h.ready());
        raise_sign(marks.path("out"));
        expect(co_await std::move(h) == 1);
    }(pool, seen));
}

TEST_CASE("awaitable_operators: && gathers, || cancels the loser") {
    using namespace asio::experimental::awaitable_operators;
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p, const signs& marks) -> asio::awaitable<void> {
        auto a = p.apply_async(square, 3);
        auto b = p.apply_async(join, "x", "y");
        auto [number, text] = co_await (a(asio::use_awaitable) && b(asio::use_awaitable));
        CHECK(number == 9);
        CHECK(text == "xy");

        auto endless = p.apply_async(hold, marks.path("in"), marks.path("never"));
        asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
        auto first = co_await (endless.async_get(asio::use_awaitable) ||
                               timer.async_wait(asio::use_awaitable));
        CHECK(first.index() == 1);
        CHECK(endless.ready());
        auto quick = p.apply_async(square, 5);
        timer.expires_after(1h);
        auto second = co_await (quick.async_get(asio::use_awaitable) ||
                                timer.async_wait(asio::use_awaitable));
        CHECK(std::get<0>(second) == 25);
    }(pool, seen));
    CHECK(eventually([&] { return pool.stats().cancelled == 1; }));
    CHECK(pool.apply(square, 2) == 4);
}

TEST_CASE("a parallel group takes handles") {
    using asio::experimental::make_parallel_group;
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p, const signs& marks) -> asio::awaitable<void> {
        auto all = co_await make_parallel_group(p.apply_async(square, 3).async_get(asio::deferred),
                                                p.apply_async([] {}).async_get(asio::deferred))
                       .async_wait(asio::experimental::wait_for_all{}, asio::use_awaitable);
        CHECK_FALSE(std::get<1>(all));
        CHECK(std::get<2>(all) == 9);
        auto handles = make_parallel_group(
            p.apply_async(square, 4), p.apply_async(hold, marks.path("in"), marks.path("never")));
        auto one =
            co_await handles.async_wait(asio::experimental::wait_for_one{}, asio::use_awaitable);
        CHECK(std::get<0>(one)[0] == 0);
        CHECK(std::get<2>(one) == 16);
        CHECK(std::get<3>(one)); // the other was cancelled
    }(pool, seen));
    CHECK(eventually([&] { return pool.stats().cancelled == 1; }));
}

TEST_CASE("cancelling what co_spawn started cancels the task it awaits") {
    const auto backend = each_backend();
    const bool direct = GENERATE(true, false);
    CAPTURE(backend, direct);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    asio::io_context context;
    asio::cancellation_signal signal;
    std::exception_ptr error;
    bool ended = false;
    asio::co_spawn(
        context,
        [](coproc::pool& p, const signs& marks, bool in_place) -> asio::awaitable<void> {
            auto h = p.apply_async(hold, marks.path("in"), marks.path("never"));
            if (in_place)
                co_await std::move(h);
            else
                co_await h.async_get(asio::use_awaitable);
        }(pool, seen, direct),
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) {
            error = e;
            ended = true;
        }));
    context.poll();
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    CHECK_FALSE(ended);
    signal.emit(asio::cancellation_type::terminal);
    context.run_for(patience);
    REQUIRE(ended);
    REQUIRE(error);
    CHECK_THROWS_AS(std::rethrow_exception(error), coproc::cancelled_error);
    CHECK(pool.stats().cancelled == 1);
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("cancelling an awaited stream ends it") {
    using namespace asio::experimental::awaitable_operators;
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto stream = pool.imap(coproc::bind_front([](const std::string& in, const std::string& out,
                                                  int) { return hold(in, out); },
                                               seen.path("in"), seen.path("never")),
                            std::views::iota(0));
    run([](coproc::stream<int> s) -> asio::awaitable<void> {
        asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
        auto first =
            co_await (s.next()(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
        CHECK(first.index() == 1);
    }(stream));
    CHECK(stream.next(patience) == std::nullopt);
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("combinations and streams are awaited like results") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p) -> asio::awaitable<void> {
        auto both = coproc::when_all(p.apply_async(square, 2), p.apply_async(join, "a", "b"));
        const auto values = co_await std::move(both);
        CHECK(values == std::tuple{4, "ab"s});
        std::vector<coproc::async_result<int>> handles;
        for (int i = 0; i < 3; ++i)
            handles.push_back(p.apply_async(square, i));
        auto list = co_await coproc::when_all(std::move(handles));
        CHECK(list == std::vector<int>{0, 1, 4});
        auto any = co_await coproc::when_any(p.apply_async(square, 3));
        CHECK(std::get<0>(any) == 9);
        std::vector<coproc::async_result<int>> more;
        for (int i = 0; i < 3; ++i)
            more.push_back(p.apply_async(square, i));
        auto completed = coproc::as_completed(std::move(more));
        int sum = 0;
        while (auto next = co_await completed.next())
            sum += next->second;
        CHECK(sum == 5);
    }(pool));
}

TEST_CASE(
    "coroutines of another kind await results and streams, and resume on the callback executor") {
    const auto backend = each_backend();
    CAPTURE(backend);
    asio::thread_pool callbacks{1};
    const auto callback_thread =
        asio::post(callbacks, asio::use_future([] { return std::this_thread::get_id(); })).get();
    auto options = on(backend);
    options.callback_executor = callbacks.get_executor();
    signs seen;
    coproc::pool pool{options};
    auto started = [](coproc::pool& p, const signs& marks,
                      std::thread::id expected) -> foreign<int> {
        auto held = p.apply_async(hold, marks.path("in"), marks.path("out"));
        int one = co_await std::move(held);
        CHECK(std::this_thread::get_id() == expected);
        int sum = one + co_await p.apply_async(square, 3);
        co_await p.apply_async([] {});
        bool threw = false;
        try {
            co_await p.apply_async(fail, 1);
        } catch (const std::out_of_range&) {
            threw = true;
        }
        CHECK(threw);
        auto stream = p.imap(square, std::views::iota(0, 4));
        while (auto x = co_await stream.next())
            sum += *x;
        auto both = coproc::when_all(p.apply_async(square, 1), p.apply_async(square, 2));
        const auto values = co_await std::move(both);
        co_return sum + std::get<0>(values) + std::get<1>(values);
    }(pool, seen, callback_thread);
    raise_sign(seen.path("out"));
    CHECK(started.get() == 1 + 9 + 14 + 5);
    auto failing = [](coproc::pool& p) -> foreign<int> {
        int v = co_await p.apply_async(fail, 2);
        co_return v;
    }(pool);
    CHECK_THROWS_AS(failing.get(), std::out_of_range);
}

namespace {

/// A class with constructors.
class labelled {
public:
    labelled() = default;
    explicit labelled(std::string text) : text_{std::move(text)} {}
    auto members() { return std::tie(text_); }
    std::string operator()(const std::string& more) const { return text_ + more; }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

struct record {
    int id = 0;
    std::string name;
};

} // namespace

// What g++ 12 compiles safely inside one co_await expression. The texts are longer than the
// small-string buffer, so a double destruction shows under AddressSanitizer.
TEST_CASE("the forms that are safe inside a co_await expression") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    run([](coproc::pool& p) -> asio::awaitable<void> {
        const std::string long_text = some_text(0);

        // Captureless lambdas, function pointers, stateless function objects.
        expect(co_await p.apply_async([](const std::string& s) { return s.size(); }, long_text) ==
               long_text.size());
        expect(co_await p.apply_async(join, long_text, long_text) == long_text + long_text);
        expect(co_await p.apply_async(std::plus<>{}, 1, 2) == 3);

        // Temporaries of classes with constructors, string literals, values returned from
        // functions.
        expect(co_await p.apply_async(join, std::string(100, 'x'), "y") ==
               std::string(100, 'x') + "y");
        expect(co_await p.apply_async(join, some_text(1), some_text(2)) ==
               some_text(1) + some_text(2));
        expect(co_await p.apply_async(labelled{some_text(3)}, some_text(4)) ==
               some_text(3) + some_text(4));
        auto echoed = co_await p.apply_async([](labelled l) { return l; }, labelled{some_text(5)});
        CHECK(echoed.text() == some_text(5));
        expect(co_await p.map_async([](int x) { return x; }, some_numbers()) == some_numbers());
        expect(co_await p.apply_async([](std::unique_ptr<std::string> s) { return *s; },
                                      std::make_unique<std::string>(some_text(6))) == some_text(6));

        // bind_front with strings.
        expect(co_await p.apply_async(coproc::bind_front(join, some_text(7)), some_text(8)) ==
               some_text(7) + some_text(8));
        expect(
            co_await p.apply_async(
                coproc::bind_front(
                    [](const std::string& a, int n) { return a + std::to_string(n); }, long_text),
                3) == long_text + "3");

        // Option structs, which are trivially destructible, with labels.
        expect(
            co_await p
                .with({.timeout = patience, .label = "a label that is longer than a small string"})
                .apply_async([] { return coproc::this_task::label(); }) ==
            "a label that is longer than a small string");
        expect(co_await p.with({.label = long_text}).apply_async([] {
            return coproc::this_task::label();
        }) == long_text);

        // Anything that was named before.
        const record named{1, some_text(9)};
        const auto back = co_await p.apply_async([](record r) { return r; }, named);
        CHECK(back.name == some_text(9));
        const std::vector<std::string> texts{some_text(1), some_text(2)};
        auto lengths = co_await p.map_async([](const std::string& s) { return s.size(); }, texts);
        CHECK(lengths.size() == 2);

        // Ranges over what was named.
        auto squares = co_await p.map_async(square, std::views::iota(0, 3));
        CHECK(squares == std::vector<int>{0, 1, 4});

        // Callbacks without captures on the way; submitted on one line, awaited on the next.
        expect(co_await p.apply_async(some_text, 1).then([](const std::string&) {}) ==
               some_text(1));
        auto h = p.apply_async(join, some_text(1), some_text(2));
        h.then([long_text](const std::string&) {});
        expect(co_await std::move(h) == some_text(1) + some_text(2));

        // In conditions and loops.
        if (co_await p.apply_async(square, 1) == 1) CHECK(true);
        while (co_await p.apply_async(square, 2) != 4)
            CHECK(false);
        switch (co_await p.apply_async(square, 3)) {
        case 9:
            break;
        default:
            CHECK(false);
        }
        // As arguments, results and exceptions.
        expect(square(co_await p.apply_async(square, 2)) == 16);
        std::string caught;
        try {
            co_await p.apply_async([](const std::string& s) { throw std::runtime_error{s}; },
                                   some_text(10));
        } catch (const std::runtime_error& e) {
            caught = e.what();
        }
        CHECK(caught == some_text(10));
        co_return;
    }(pool));
    const auto text = run([](coproc::pool& p) -> asio::awaitable<std::string> {
        auto value = co_await p.apply_async(join, some_text(1), some_text(2));
        co_return value;
    }(pool));
    CHECK(text == some_text(1) + some_text(2));
}
