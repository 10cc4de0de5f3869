// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What only threads can: a dummy::pool takes anything, copies nothing, and shares what is referred
// to.

#include "support/pools.hpp"

#include <coproc/dummy.hpp>

#include <range/v3/view/chunk.hpp>

#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <thread>

namespace {

using namespace coproc_test;
namespace mp = coproc::dummy;

int square(int x) { return x * x; }

/// No process could be sent this, and it counts its copies.
class counted {
public:
    explicit counted(int value = 0) : value_{value} {}
    counted(const counted& other) : value_{other.value_} { ++copies; }
    counted(counted&& other) noexcept : value_{other.value_} {}
    counted& operator=(const counted& other) {
        value_ = other.value_;
        ++copies;
        return *this;
    }
    counted& operator=(counted&&) noexcept = default;
    [[nodiscard]] int value() const { return value_; }

    static inline std::atomic<int> copies{0};

private:
    int value_;
};

class own_error {
public:
    explicit own_error(int code) : code_{code} {}
    [[nodiscard]] int code() const { return code_; }

private:
    int code_;
};

class own_runtime_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Takes any pool.
int through_the_base(coproc::pool& pool) { return pool.apply(square, 6); }

} // namespace

TEST_CASE("dummy::pool: the one-word switch") {
    mp::pool pool{2};
    STATIC_REQUIRE(std::derived_from<mp::pool, coproc::pool>);
    CHECK(pool.workers() == 2);
    CHECK(pool.apply(square, 3) == 9);
    CHECK(pool.map(square, {1, 2, 3}) == std::vector<int>{1, 4, 9});
    CHECK(pool.starmap([](int a, int b) { return a + b; }, {std::pair{1, 2}}) ==
          std::vector<int>{3});
    CHECK(pool.imap(square, {2}).next(patience) == 4);
    CHECK(pool.imap_unordered(square, {2}).next(patience) == 4);
    CHECK(pool.apply_async(square, 4).get() == 16);
    CHECK(pool.map_async(square, {4}).get() == std::vector<int>{16});
    CHECK(pool.starmap_async([](int a, int b) { return a * b; }, {std::pair{3, 2}}).get() ==
          std::vector<int>{6});
    CHECK(through_the_base(pool) == 36);
    mp::async_result<int> h =
        pool.with(mp::task_options{.label = "x"}).apply_async([] { return 1; });
    CHECK(h.get() == 1);
    CHECK(std::get<0>(mp::when_all(pool.apply_async(square, 1)).get()) == 1);
    CHECK(mp::pool{}.workers() == mp::cpu_count());
    CHECK(mp::pool{mp::pool_options{.workers = 1}}.workers() == 1);
    pool.close();
    pool.join();
    CHECK_THROWS_AS(pool.apply(square, 1), coproc::pool_closed_error);
}

TEST_CASE("dummy::pool: what takes values that own what they have gets such") {
    mp::pool pool{2};
    const std::vector<int> numbers{1, 2, 3, 4};
    const auto total = [](const std::vector<int>& v) {
        return std::accumulate(v.begin(), v.end(), 0);
    };
    // The same calls as on processes, where views and spans arrive as vectors.
    CHECK(pool.apply(total, std::span{numbers}) == 10);
    CHECK(pool.apply(total, numbers | std::views::drop(1)) == 9);
    const auto tails = std::views::iota(0, 3) |
                       std::views::transform([&](int n) { return numbers | std::views::drop(n); });
    CHECK(pool.map(total, tails) == std::vector<int>{10, 9, 7});
    CHECK(pool.imap(total, tails).next(patience) == 10);
    CHECK(pool.map(total, numbers | ranges::views::chunk(2)) == std::vector<int>{3, 7});
    CHECK(pool.starmap([](std::vector<int> v, int x) { return v.at(0) + x; },
                       std::vector{std::pair{std::span{numbers}, 1}}) == std::vector<int>{2});
    CHECK(pool.map([](std::vector<std::string> words) { return words.at(0); },
                   std::vector<std::vector<std::string_view>>{{"a", "b"}}) ==
          std::vector<std::string>{"a"});
    // What takes a view gets the view, and nothing is copied.
    const auto first = [](auto view) { return &*view.begin(); };
    CHECK(pool.apply(first, std::span{numbers}) == numbers.data());
    CHECK(pool.map(first, tails).at(1) == numbers.data() + 1);
    CHECK(pool.apply([](std::string s) { return s + "!"; }, "text") == "text!");
}

TEST_CASE("dummy::pool: calls are const, and so are those with options") {
    const mp::pool pool{2};
    const auto urgent = pool.with({.priority = 1});
    CHECK(pool.apply(square, 3) == 9);
    CHECK(urgent.apply_async(square, 3).get() == 9);
    CHECK(urgent.map(square, {1, 2}) == std::vector<int>{1, 4});
}

TEST_CASE("threads take capturing lambdas, pointers and references, and share what they refer to") {
    mp::pool pool{2};
    int here = 1;
    pool.apply([&here] { here = 2; });
    CHECK(here == 2);
    pool.apply([](int* p) { *p = 3; }, &here);
    CHECK(here == 3);
    pool.apply([](int& x) { x = 4; }, std::ref(here));
    CHECK(here == 4);
    int* const same = pool.apply([](int* p) { return p; }, &here);
    CHECK(same == &here);
    std::mutex mutex;
    int sum = 0;
    pool.map(
        [&](int x) {
            const std::scoped_lock lock{mutex};
            sum += x;
        },
        std::views::iota(0, 1000));
    CHECK(sum == 499'500);
    std::vector<int> values{1, 2, 3};
    std::vector<int*> pointers;
    for (int& v : values)
        pointers.push_back(&v);
    pool.map([](int* p) { *p *= 10; }, pointers);
    CHECK(values == std::vector<int>{10, 20, 30});
    const std::string text = "as it is";
    CHECK(pool.apply([](const char* s) { return s; }, text.c_str()) == text.c_str());
    std::function<int(int)> erased = [&here](int x) { return x + here; };
    CHECK(pool.apply(erased, 1) == 5);
    CHECK(pool.map(erased, {1, 2}) == std::vector<int>{5, 6});
}

TEST_CASE("threads take and give types that cannot be sent") {
    mp::pool pool{2};
    std::packaged_task<int(int)> task{square};
    auto result = task.get_future();
    pool.apply([](std::packaged_task<int(int)> t, int x) { t(x); }, std::move(task), 5);
    CHECK(result.get() == 25);
    auto thread = pool.apply([] { return std::thread{[] {}}; });
    thread.join();
    auto lock = std::make_unique<std::mutex>();
    std::mutex* const address = lock.get();
    lock = pool.apply([](std::unique_ptr<std::mutex> m) { return m; }, std::move(lock));
    CHECK(lock.get() == address);
    std::vector<std::unique_ptr<int>> inputs;
    inputs.push_back(std::make_unique<int>(4));
    int* const inside = inputs.front().get();
    const auto outputs = pool.map([](std::unique_ptr<int> p) { return p; }, std::move(inputs));
    CHECK(outputs.at(0).get() == inside);
}

TEST_CASE("nothing is copied on the way to a thread and back") {
    mp::pool pool{2};
    counted::copies = 0;
    CHECK(pool.apply([](counted c) { return c; }, counted{7}).value() == 7);
    CHECK(pool.apply([](const counted& c) { return c.value(); }, counted{8}) == 8);
    std::vector<counted> inputs;
    inputs.reserve(3);
    for (int i = 0; i < 3; ++i)
        inputs.emplace_back(i);
    const auto results = pool.map([](counted c) { return c; }, std::move(inputs));
    REQUIRE(results.size() == 3);
    CHECK(results[2].value() == 2);
    auto future = pool.apply_async([] { return counted{9}; }).future();
    CHECK(future.get().value() == 9);
    std::vector<counted> more;
    more.emplace_back(5);
    for (const counted& c : pool.imap([](counted c) { return c; }, std::move(more)))
        CHECK(c.value() == 5);
    CHECK(counted::copies == 0);
    const counted named{1};
    pool.apply([](const counted&) {}, named);
    CHECK(counted::copies == 1); // an lvalue is copied once, as std::thread does
    auto handle =
        pool.apply_async([](const counted& c) { return counted{c.value() + 1}; }, std::ref(named));
    handle.then([](const counted& c) { CHECK(c.value() == 2); });
    CHECK(handle.get().value() == 2);
    CHECK(counted::copies == 1);
}

TEST_CASE("a user's own exception keeps its type on threads") {
    mp::pool pool{1};
    const auto error =
        thrown<own_runtime_error>([&] { pool.apply([] { throw own_runtime_error{"mine"}; }); });
    REQUIRE(error);
    CHECK(error->what() == std::string{"mine"});
    int code = 0;
    try {
        pool.map([](int i) { throw own_error{i}; }, {5});
    } catch (const own_error& e) {
        code = e.code();
    }
    CHECK(code == 5);
    CHECK_THROWS_AS(pool.apply([] { throw 42; }), int);
    CHECK_THROWS_AS(pool.with({.label = "std"}).apply([] { throw std::out_of_range{"o"}; }),
                    std::out_of_range);
    CHECK_THROWS_AS(pool.with({.label = "std"}).apply([] { throw std::out_of_range{"o"}; }),
                    coproc::task_failure);
}

TEST_CASE("a dummy pool's handles work with coroutines and callbacks that capture") {
    mp::pool pool{2};
    int local = 40;
    const int sum = run([](mp::pool& p, int& x) -> asio::awaitable<int> {
        auto h = p.apply_async([&x] { return ++x; });
        int a = co_await std::move(h);
        int* address = co_await p.apply_async([](int* q) { return q; }, &x);
        co_return a + (address == &x ? 1 : 0);
    }(pool, local));
    CHECK(sum == 42);
}

TEST_CASE("the initializer of a dummy pool may be anything callable") {
    int made = 0;
    mp::pool_options options{.workers = 1};
    options.initializer = mp::job{[&made](int n) { made += n; }, 3};
    mp::pool pool{options};
    CHECK(pool.apply([] { return 1; }) == 1);
    CHECK(made == 3);
}

TEST_CASE("an initializer that can run only once is refused by a pool that would repeat it") {
    int made = 0;
    const auto options = [&made](unsigned workers) {
        return mp::pool_options{.workers = workers,
                                .initializer =
                                    mp::job{[n = std::make_unique<int>(3), &made] { made += *n; }}};
    };
    const auto error = thrown<std::invalid_argument>([&] { mp::pool{options(2)}; });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("only once"));
    auto renewing = options(1);
    renewing.max_tasks_per_worker = 1;
    CHECK_THROWS_AS(mp::pool{renewing}, std::invalid_argument);
    mp::pool pool{options(1)};
    CHECK(pool.apply([] { return 1; }) == 1);
    CHECK(made == 3);
}

TEST_CASE("a task may use and end its own pool of threads") {
    auto pool = std::make_unique<mp::pool>(2);
    CHECK(pool->apply([&pool] { return pool->apply(square, 4); }) == 16);
    auto h = pool->apply_async([&pool] {
        pool->terminate();
        return 1;
    });
    CHECK_THROWS_AS(h.get(patience), coproc::cancelled_error);
    CHECK(pool->join(patience));
}

TEST_CASE("a pool's workers have the same names on threads as in processes") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = on(backend, 1);
    options.name = GENERATE("crew", "");
    const auto expected = options.name.empty() ? "pool-1" : "crew-1";
    coproc::pool pool{options};
    CHECK(pool.apply([] { return coproc::current_process().name(); }) == expected);
    CHECK(pool.apply([] { return coproc::current_process().daemon(); }));
    const auto failure =
        thrown<coproc::task_failure>([&] { pool.apply([] { throw std::runtime_error{"x"}; }); });
    REQUIRE(failure);
    CHECK(failure->worker_name() == expected);
    CHECK(coproc::current_process().name() == "main");
    if (backend == "dummy")
        CHECK(pool.apply([] { return mp::current_process().name(); }) == expected);
}

TEST_CASE("each thread of a dummy pool has a number of its own, also one that replaces another") {
    mp::pool_options options{.workers = 1};
    options.max_tasks_per_worker = 1;
    mp::pool pool{options};
    const auto name = [] { return mp::current_process().name(); };
    CHECK(pool.apply(name) == "pool-1");
    CHECK(pool.apply(name) == "pool-2");
}
