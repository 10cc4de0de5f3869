// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Streams: imap and imap_unordered, read in loops, with timeouts, through coroutines, and dropped
// half-way.

#include <coproc/stream.hpp>

#include "pools.hpp"

#include <algorithm>
#include <list>
#include <memory>
#include <numeric>
#include <ranges>
#include <set>

namespace {

using namespace coproc_test;

int square(int x) { return x * x; }
int picky(int x) {
    if (x == 3) throw std::out_of_range{"no 3"};
    return x;
}

template <class Stream>
auto all_of(Stream stream) {
    std::vector<typename Stream::value_type> out;
    while (auto x = stream.next(patience))
        out.push_back(std::move(*x));
    return out;
}

} // namespace

TEST_CASE("imap delivers in input order, imap_unordered all of them") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    STATIC_REQUIRE(std::is_same_v<decltype(pool.imap(square, {1})), coproc::stream<int>>);
    STATIC_REQUIRE(std::ranges::input_range<coproc::stream<int>>);
    STATIC_REQUIRE(std::ranges::view<coproc::stream<int>>);

    std::vector<int> got;
    for (int x : pool.imap(square, std::views::iota(0, 3000)))
        got.push_back(x);
    REQUIRE(got.size() == 3000);
    bool right = true;
    for (int i = 0; i < 3000; ++i)
        right = right && got[static_cast<std::size_t>(i)] == i * i;
    CHECK(right);

    std::multiset<int> unordered;
    for (int x : pool.imap_unordered(square, std::views::iota(0, 3000)))
        unordered.insert(x);
    CHECK(std::ranges::equal(unordered, got));

    const std::vector<int> expected{1, 4, 9};
    const std::vector<int> lvalue{1, 2, 3};
    std::list<int> list{1, 2, 3};
    CHECK(all_of(pool.imap(square, lvalue)) == expected);
    CHECK(all_of(pool.imap(square, list)) == expected);
    CHECK(all_of(pool.imap(square, std::vector<int>{1, 2, 3})) == expected);
    CHECK(all_of(pool.imap(square, {1, 2, 3})) == expected);
    CHECK(all_of(pool.imap(square, lvalue | std::views::take(2))) == std::vector<int>{1, 4});
    CHECK(all_of(pool.imap(square, std::vector<int>{})).empty());
    CHECK(all_of(pool.imap([](const std::string& s) { return s + "!"; }, {"a", "b"})) ==
          std::vector<std::string>{"a!", "b!"});
    auto unordered_list = all_of(pool.imap_unordered(square, {1, 2, 3}));
    std::ranges::sort(unordered_list);
    CHECK(unordered_list == expected);
    CHECK(all_of(pool.with({.chunk_size = 2, .label = "s"}).imap(square, lvalue)) == expected);
}

TEST_CASE("imap_unordered delivers what is done first") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 2)};
    const auto body = coproc::bind_front(
        [](const std::string& leave, int i) {
            if (i == 0) await_sign(leave);
            return i;
        },
        seen.path("out"));
    auto unordered = pool.with({.chunk_size = 1}).imap_unordered(body, {0, 1, 2});
    const auto first = unordered.next(patience);
    const auto second = unordered.next(patience);
    CHECK(std::set{first, second} == std::set<std::optional<int>>{1, 2});
    CHECK_THROWS_AS(unordered.next(1ms), coproc::timeout_error);
    auto ordered = pool.with({.chunk_size = 1}).imap(body, {0, 1, 2});
    CHECK_THROWS_AS(ordered.next(1ms), coproc::timeout_error);
    raise_sign(seen.path("out"));
    CHECK(unordered.next(patience) == 0);
    CHECK(unordered.next(patience) == std::nullopt);
    CHECK(all_of(ordered) == std::vector<int>{0, 1, 2});
}

TEST_CASE("imap reads its input on the consumer's thread, lazily, within a window") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto here = std::this_thread::get_id();
    int read = 0;
    bool elsewhere = false;
    auto endless = std::views::iota(0) | std::views::transform([&](int i) {
                       ++read;
                       elsewhere = elsewhere || std::this_thread::get_id() != here;
                       return i;
                   });
    int taken = 0;
    for (int x : pool.imap(square, endless)) {
        CHECK(x == taken * taken);
        if (++taken == 500) break;
    }
    CHECK_FALSE(elsewhere);
    CHECK(read >= 500);
    CHECK(read < 500 + 4096 + 64);
    const int after = read;
    CHECK(pool.apply(square, 3) == 9); // the pool has let go of the stream
    CHECK(read == after);
}

TEST_CASE("results before a failing item, its exception, and then the end") {
    const auto backend = each_backend();
    const bool ordered = GENERATE(true, false);
    CAPTURE(backend, ordered);
    coproc::pool pool{on(backend, 1)};
    const auto start = [&] {
        auto view = pool.with({.label = "s"});
        return ordered ? view.imap(picky, std::views::iota(0, 10))
                       : view.imap_unordered(picky, std::views::iota(0, 10));
    };
    // In order: exactly those before it. As they come: others that were done first may be among
    // them.
    const auto right = [&](std::vector<int> values) {
        if (ordered) return values == std::vector<int>{0, 1, 2};
        std::ranges::sort(values);
        return std::ranges::includes(values, std::vector{0, 1, 2}) &&
               !std::ranges::binary_search(values, 3);
    };
    auto stream = start();
    std::vector<int> got;
    const auto failure = thrown<coproc::task_failure>([&] {
        while (auto x = stream.next(patience))
            got.push_back(*x);
    });
    CHECK(right(got));
    REQUIRE(failure);
    CHECK(failure->index() == 3);
    CHECK(failure->label() == "s");
    CHECK(stream.next(patience) == std::nullopt);
    CHECK(stream.next(patience) == std::nullopt);
    CHECK(stream.begin() == stream.end());

    got.clear();
    CHECK_THROWS_AS(
        [&] {
            for (int x : start())
                got.push_back(x);
        }(),
        std::out_of_range);
    CHECK(right(got));

    got = run([](coproc::stream<int> s) -> asio::awaitable<std::vector<int>> {
        std::vector<int> seen;
        bool threw = false;
        try {
            while (auto x = co_await s.next())
                seen.push_back(*x);
        } catch (const std::out_of_range&) {
            threw = true;
        }
        CHECK(threw);
        auto ended = co_await s.next();
        CHECK_FALSE(ended);
        co_return seen;
    }(start()));
    CHECK(right(got));
}

TEST_CASE("a stream can be awaited") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto sum = run([](coproc::pool& p) -> asio::awaitable<int> {
        int total = 0;
        auto s = p.imap(square, std::views::iota(0, 100));
        while (auto x = co_await s.next())
            total += *x;
        auto one = p.imap(square, std::vector<int>(1, 5));
        total += *co_await one.next()(asio::use_awaitable);
        co_return total;
    }(pool));
    CHECK(sum == 328'350 + 25);
    auto s = pool.imap(square, {2, 3});
    CHECK(s.next()(asio::use_future).get() == 4);
    CHECK(s.next(patience) == 9);
    CHECK(s.next()(asio::use_future).get() == std::nullopt);
}

TEST_CASE("a next that times out loses nothing") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    const auto body = coproc::bind_front(
        [](const std::string& leave, int i) {
            if (i == 1) await_sign(leave);
            return i;
        },
        seen.path("out"));
    auto stream = pool.with({.chunk_size = 1}).imap(body, {0, 1, 2, 3});
    CHECK(stream.next(patience) == 0);
    for (int i = 0; i < 3; ++i) {
        const auto error = thrown<coproc::timeout_error>([&] { stream.next(1ms); });
        REQUIRE(error);
        CHECK(error->kind() == coproc::timeout_error::waiting);
    }
    raise_sign(seen.path("out"));
    CHECK(stream.next(patience) == 1);
    CHECK(stream.next()(asio::use_future).get() == 2);
    CHECK(stream.next(patience) == 3);
    CHECK(stream.next(patience) == std::nullopt);
}

TEST_CASE("copies of a stream are one stream; an empty one has ended") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto a = pool.imap(square, {1, 2, 3, 4});
    auto b = a;
    CHECK(a.next(patience) == 1);
    CHECK(b.next(patience) == 4);
    a = {};
    CHECK(b.next(patience) == 9);
    CHECK(all_of(b) == std::vector<int>{16});

    coproc::stream<int> empty;
    CHECK(empty.begin() == empty.end());
    CHECK(empty.next(1s) == std::nullopt);
    CHECK(empty.next()(asio::use_future).get() == std::nullopt);
}

TEST_CASE("dropping a stream releases the producer and cancels what is left") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    signs seen;
    auto input = std::make_shared<std::vector<int>>(1000, 7);
    coproc::pool pool{on(backend, 1)};
    {
        auto stream = pool.with({.chunk_size = 1})
                          .imap(coproc::bind_front([](const std::string& in, const std::string& out,
                                                      int) { return hold(in, out); },
                                                   seen.path("in"), seen.path("never")),
                                std::views::iota(0) | std::views::transform([input](int i) {
                                    return (*input)[static_cast<std::size_t>(i) % 1000];
                                }));
        REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
        CHECK_THROWS_AS(stream.next(1ms), coproc::timeout_error);
    }
    CHECK(pool.apply(square, 3) == 9);                         // the worker is free again
    CHECK(eventually([&] { return input.use_count() == 1; })); // the input is gone
    CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
}

TEST_CASE("join cuts off the stream that its thread reads, which says so") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto stream = pool.imap(square, std::views::iota(0));
    CHECK(stream.next(patience) == 0);
    pool.close();
    CHECK_FALSE(pool.join(0s)); // asks only
    CHECK(stream.next(patience) == 1);
    CHECK(pool.join(patience));
    int left = 0;
    const auto read_all = [&] {
        while (stream.next(patience))
            ++left;
    };
    CHECK_THROWS_AS(read_all(), coproc::cancelled_error);
    CHECK(left > 0);
    CHECK(stream.next(patience) == std::nullopt);
}

TEST_CASE("a stream whose input has been read to its end is complete after a join") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto stream = pool.imap(square, {1, 2, 3});
    CHECK(stream.next(patience) == 1);
    pool.close();
    CHECK(pool.join(patience));
    CHECK(stream.next(patience) == 4);
    CHECK(stream.next(patience) == 9);
    CHECK(stream.next(patience) == std::nullopt);
}

TEST_CASE("a stream of values that only move") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    int sum = 0;
    for (auto& p : pool.imap([](int i) { return std::make_unique<int>(i); }, {1, 2, 3})) {
        std::unique_ptr<int> mine = std::move(p);
        sum += *mine;
    }
    CHECK(sum == 6);
}

TEST_CASE("a stream is read to its end after close") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    auto stream = pool.imap(square, std::views::iota(0, 1000));
    pool.close();
    CHECK_THROWS_AS(pool.imap(square, {1}), coproc::pool_closed_error);
    CHECK(all_of(stream).size() == 1000);
    CHECK(pool.join(patience));
}

TEST_CASE("streams of several threads run beside each other") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::atomic<int> right{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 3; ++t)
        readers.emplace_back([&, t] {
            int i = t;
            for (int x : pool.imap(square, std::views::iota(t, t + 300))) {
                if (x != i * i) return;
                ++i;
            }
            if (i == t + 300) ++right;
        });
    for (auto& each : readers)
        each.join();
    CHECK(right == 3);
}

TEST_CASE("the failure of an item that a dropped stream has not delivered goes to the log hook") {
    const auto backend = each_backend();
    CAPTURE(backend);
    captured_log log;
    coproc::pool pool{on(backend, 1)};
    const auto failed = [&] { return pool.stats().failed == 1; };
    SECTION("imap") {
        auto stream = pool.imap(picky, {3});
        REQUIRE(eventually(failed));
        SECTION("and is dropped") {
            stream = {};
            CHECK(log.count(coproc::log_kind::unobserved_error, "no 3") == 1);
        }
        SECTION("and is read") {
            CHECK_THROWS_AS(stream.next(patience), std::out_of_range);
            stream = {};
            CHECK(log.count(coproc::log_kind::unobserved_error) == 0);
        }
    }
    SECTION("as_completed") {
        std::vector<coproc::async_result<int>> results;
        results.push_back(pool.apply_async(picky, 3));
        auto stream = coproc::as_completed(std::move(results));
        REQUIRE(eventually(failed));
        pool.close();
        pool.join();
        stream = {};
        CHECK(log.count(coproc::log_kind::unobserved_error) == 1);
    }
}

namespace {

/// Knows how many there are.
struct counted {
    static inline std::atomic<int> alive{0};
    int x = 0;

    explicit counted(int n = 0) : x{n} { ++alive; }
    counted(const counted& other) : x{other.x} { ++alive; }
    counted& operator=(const counted&) = default;
    ~counted() { --alive; }
    auto members() { return std::tie(x); }
};

int value_of(const counted& c) { return c.x; }

} // namespace

TEST_CASE("the items of a stream go when they have their results") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 1)};
    constexpr int many = 20'000;
    auto stream = pool.imap(value_of, std::views::iota(0, many) |
                                          std::views::transform([](int n) { return counted{n}; }));
    for (int i = 0; i != many - 1; ++i)
        REQUIRE(stream.next(patience) == i);
    CHECK(counted::alive < many / 2); // a window of them
    REQUIRE(stream.next(patience) == many - 1);
    REQUIRE(stream.next(patience) == std::nullopt);
    CHECK(eventually([] { return counted::alive == 0; }));
}
