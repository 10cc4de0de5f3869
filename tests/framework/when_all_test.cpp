// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// when_all, when_any and as_completed.

#include <coproc/when_all.hpp>

#include "pools.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>
#include <variant>

namespace {

using namespace coproc_test;

int square(int x) { return x * x; }
int fail(int x) { throw std::out_of_range{"no " + std::to_string(x)}; }

} // namespace

TEST_CASE("when_all gathers results of several types") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto all = coproc::when_all(pool.apply_async(square, 3),
                                pool.apply_async([] { return std::string{"text"}; }),
                                pool.apply_async([] {}), pool.map_async(square, {1, 2}),
                                pool.apply_async([] { return std::make_unique<int>(5); }));
    STATIC_REQUIRE(
        std::is_same_v<decltype(all),
                       coproc::async_result<std::tuple<int, std::string, std::monostate,
                                                       std::vector<int>, std::unique_ptr<int>>>>);
    auto [number, text, nothing, list, owner] = all.get();
    CHECK(number == 9);
    CHECK(text == "text");
    CHECK(list == std::vector<int>{1, 4});
    CHECK(*owner == 5);
    CHECK(std::tuple_size_v<decltype(coproc::when_all().get())> == 0);
    CHECK(coproc::when_all().ready());
    CHECK(std::get<0>(run([](coproc::async_result<int> a, coproc::async_result<void> b)
                              -> asio::awaitable<std::tuple<int, std::monostate>> {
              auto both = coproc::when_all(std::move(a), std::move(b));
              co_return co_await std::move(both);
          }(pool.apply_async(square, 4), pool.apply_async([] {})))) == 16);
}

TEST_CASE("when_all over a vector") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < 20; ++i)
        handles.push_back(pool.apply_async(square, i));
    const auto values = coproc::when_all(std::move(handles)).get();
    REQUIRE(values.size() == 20);
    for (int i = 0; i < 20; ++i)
        CHECK(values[static_cast<std::size_t>(i)] == i * i);

    CHECK(coproc::when_all(std::vector<coproc::async_result<int>>{}).get().empty());
    std::vector<coproc::async_result<void>> voids;
    voids.push_back(pool.apply_async([] {}));
    voids.push_back(pool.apply_async([] {}));
    coproc::when_all(std::move(voids)).get();
    coproc::when_all(std::vector<coproc::async_result<void>>{}).get();
    std::vector<coproc::async_result<bool>> flags;
    flags.push_back(pool.apply_async([] { return true; }));
    CHECK(coproc::when_all(std::move(flags)).get() == std::vector<bool>{true});
}

TEST_CASE("when_all fails with the first failure and cancels the rest") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    signs seen;
    coproc::pool pool{on(backend, 2)};
    auto all = coproc::when_all(pool.apply_async(hold, seen.path("in"), seen.path("never")),
                                pool.apply_async(fail, 7),
                                pool.apply_async(hold, seen.path("in2"), seen.path("never")));
    CHECK_THROWS_WITH(all.get(patience), "no 7");
    std::vector<coproc::async_result<int>> handles;
    handles.push_back(pool.apply_async(hold, seen.path("in3"), seen.path("never")));
    handles.push_back(pool.apply_async(fail, 8));
    CHECK_THROWS_AS(coproc::when_all(std::move(handles)).get(patience), std::out_of_range);
    CHECK(eventually([&] { return pool.stats().cancelled == 3; }));
    CHECK(pool.apply(square, 3) == 9);
    CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
}

TEST_CASE("cancelling when_all cancels its parts") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto running = pool.apply_async(hold, seen.path("in"), seen.path("never"));
    auto queued = pool.apply_async(square, 3);
    auto all = coproc::when_all(std::move(running), std::move(queued));
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    CHECK_FALSE(all.wait(1ms));
    CHECK(all.cancel());
    CHECK_THROWS_AS(all.get(patience), coproc::cancelled_error);
    CHECK_FALSE(all.cancel());
    CHECK(pool.stats().cancelled == 2);
}

TEST_CASE("when_any yields the first and cancels the losers") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    signs seen;
    coproc::pool pool{on(backend, 2)};
    auto any = coproc::when_any(pool.apply_async(hold, seen.path("in1"), seen.path("never")),
                                pool.apply_async([] { return std::string{"quick"}; }));
    STATIC_REQUIRE(
        std::is_same_v<decltype(any), coproc::async_result<std::variant<int, std::string>>>);
    CHECK(std::get<1>(any.get(patience)) == "quick");
    CHECK(eventually([&] { return pool.stats().cancelled == 1; }));

    auto with_void = coproc::when_any(pool.apply_async(hold, seen.path("in2"), seen.path("never")),
                                      pool.apply_async([] {}));
    CHECK(with_void.get(patience).index() == 1);
    auto same_types = coproc::when_any(pool.apply_async(hold, seen.path("in3"), seen.path("never")),
                                       pool.apply_async(square, 2));
    const auto value = same_types.get(patience);
    CHECK(value.index() == 1);
    CHECK(std::get<1>(value) == 4);

    std::vector<coproc::async_result<int>> handles;
    handles.push_back(pool.apply_async(hold, seen.path("in4"), seen.path("never")));
    handles.push_back(pool.apply_async(square, 5));
    CHECK(coproc::when_any(std::move(handles)).get(patience) == std::pair<std::size_t, int>{1, 25});
    std::vector<coproc::async_result<void>> voids;
    voids.push_back(pool.apply_async([] {}));
    CHECK(coproc::when_any(std::move(voids)).get(patience).first == 0);
    CHECK_THROWS_AS(coproc::when_any(std::vector<coproc::async_result<int>>{}),
                    std::invalid_argument);

    auto failing = coproc::when_any(pool.apply_async(hold, seen.path("in5"), seen.path("never")),
                                    pool.apply_async(fail, 5));
    CHECK_THROWS_WITH(failing.get(patience), "no 5");
    CHECK(eventually([&] { return pool.stats().cancelled == 5; }));
    CHECK(pool.apply(square, 3) == 9);
    CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
}

TEST_CASE("combinations take results of several pools") {
    coproc::pool processes{on("process", 1)};
    coproc::dummy::pool threads{1};
    int local = 4;
    auto all = coproc::when_all(processes.apply_async(square, 3),
                                threads.apply_async([&local] { return ++local; }));
    CHECK(all.get() == std::tuple{9, 5});
    auto nested = coproc::when_all(
        coproc::when_all(processes.apply_async(square, 1), processes.apply_async(square, 2)),
        coproc::when_any(processes.apply_async(square, 3)));
    CHECK(std::get<0>(nested.get()) == std::tuple{1, 4});
}

TEST_CASE("as_completed yields results as they come, with their places") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 2)};
    std::vector<coproc::async_result<int>> handles;
    handles.push_back(pool.apply_async(hold, seen.path("in"), seen.path("out")));
    for (int i = 1; i < 6; ++i)
        handles.push_back(pool.apply_async(square, i));
    auto stream = coproc::as_completed(std::move(handles));
    STATIC_REQUIRE(std::is_same_v<decltype(stream), coproc::stream<std::pair<std::size_t, int>>>);
    std::set<std::size_t> places;
    for (int i = 1; i < 6; ++i) {
        const auto next = stream.next(patience);
        REQUIRE(next);
        CHECK(next->second == static_cast<int>(next->first * next->first));
        places.insert(next->first);
    }
    CHECK(places == std::set<std::size_t>{1, 2, 3, 4, 5});
    CHECK_THROWS_AS(stream.next(1ms), coproc::timeout_error);
    raise_sign(seen.path("out"));
    CHECK(stream.next(patience) == std::pair<std::size_t, int>{0, 1});
    CHECK(stream.next(patience) == std::nullopt);
    CHECK(coproc::as_completed(std::vector<coproc::async_result<int>>{}).next(patience) ==
          std::nullopt);

    std::vector<coproc::async_result<void>> voids;
    voids.push_back(pool.apply_async([] {}));
    std::size_t n = 0;
    for (const auto& [index, nothing] : coproc::as_completed(std::move(voids)))
        n += index + 1;
    CHECK(n == 1);
}

TEST_CASE("as_completed ends with the first failure") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    signs seen;
    coproc::pool pool{on(backend, 1)};
    std::vector<coproc::async_result<int>> handles;
    handles.push_back(pool.apply_async(square, 2));
    handles.push_back(pool.apply_async(fail, 1));
    handles.push_back(pool.apply_async(square, 3));
    for (const auto& h : handles)
        h.wait();
    {
        auto stream = coproc::as_completed(std::move(handles));
        CHECK(stream.next(patience) == std::pair<std::size_t, int>{0, 4});
        CHECK_THROWS_WITH(stream.next(patience), "no 1");
        CHECK(stream.next(patience) == std::nullopt);
        CHECK(stream.next(patience) == std::nullopt);
    }
    // A failure that is waited for, with others still to come.
    std::vector<coproc::async_result<int>> more;
    more.push_back(pool.apply_async(fail, 2));
    more.push_back(pool.apply_async(hold, seen.path("in"), seen.path("out")));
    auto stream = coproc::as_completed(std::move(more));
    CHECK_THROWS_WITH(stream.next(patience), "no 2");
    raise_sign(seen.path("out"));
    REQUIRE(eventually([&] { return pool.stats().completed == 3; }));
    CHECK(stream.next(patience) == std::nullopt);
    CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
}

TEST_CASE("dropping as_completed cancels what has not come") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    {
        std::vector<coproc::async_result<int>> handles;
        handles.push_back(pool.apply_async(square, 2));
        handles.push_back(pool.apply_async(hold, seen.path("in"), seen.path("never")));
        auto stream = coproc::as_completed(std::move(handles));
        CHECK(stream.next(patience).has_value());
    }
    CHECK(eventually([&] { return pool.stats().cancelled == 1; }));
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("an awaited as_completed can be cancelled") {
    using namespace asio::experimental::awaitable_operators;
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    std::vector<coproc::async_result<int>> handles;
    handles.push_back(pool.apply_async(hold, seen.path("in"), seen.path("never")));
    auto stream = coproc::as_completed(std::move(handles));
    const auto winner =
        run([](coproc::stream<std::pair<std::size_t, int>> s) -> asio::awaitable<std::size_t> {
            asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
            auto both =
                co_await (s.next()(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
            co_return both.index();
        }(stream));
    CHECK(winner == 1);
    CHECK(eventually([&] { return pool.stats().cancelled == 1; }));
    CHECK(stream.next(patience) == std::nullopt);
}
