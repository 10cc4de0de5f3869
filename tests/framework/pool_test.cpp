// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The calls of a pool: what may be given, what comes back, what is thrown, and how a pool ends.

#include "pools.hpp"

#include <range/v3/range/conversion.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/transform.hpp>
#include <range/v3/view/zip.hpp>

#include <array>
#include <deque>
#include <dlfcn.h>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <ranges>
#include <set>
#include <span>
#include <sstream>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>

namespace {

using namespace coproc_test;
using namespace std::string_literals;

const std::string kept_text = "kept";

int square(int x) { return x * x; }
int plus(int a, int b) { return a + b; }
std::string repeat(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i)
        out += text;
    return out;
}

struct times_two {
    int operator()(int x) const { return 2 * x; }
};

/// A function object with state.
struct scale {
    int factor = 1;
    int operator()(int x) const { return factor * x; }
};

class affine {
public:
    affine() = default;
    affine(int a, std::string unit) : a_{a}, unit_{std::move(unit)} {}
    auto members() { return std::tie(a_, unit_); }
    std::string operator()(int x) const { return std::to_string(a_ + x) + unit_; }

private:
    int a_ = 0;
    std::string unit_;
};

struct point {
    int x = 0;
    int y = 0;
    std::string name;
    bool operator==(const point&) const = default;
};

enum class colour : std::uint8_t { red, green };

/// Takes calls as an rvalue only.
struct once {
    int operator()(int x) && { return x + 7; }
};

/// Cannot be default constructed.
class price {
public:
    explicit price(int cents) : cents_{cents} {}
    auto members() const { return std::tuple{cents_}; }
    [[nodiscard]] int cents() const { return cents_; }

private:
    int cents_;
};

template <class T>
T echo(T x) {
    return x;
}

} // namespace

TEST_CASE("apply calls a function on a worker") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};

    CHECK(pool.apply(square, 7) == 49);
    CHECK(pool.apply(&square, 7) == 49);
    CHECK(pool.apply([](int x) { return x + 1; }, 41) == 42);
    CHECK(pool.apply(times_two{}, 21) == 42);
    CHECK(pool.apply(scale{3}, 14) == 42);
    CHECK(pool.apply(affine{40, "mm"}, 2) == "42mm");
    CHECK(pool.apply(once{}, 1) == 8);
    CHECK(pool.apply(coproc::bind_front(plus, 40), 2) == 42);
    CHECK(pool.apply(coproc::bind_front(
                         [](const std::string& s, int n) { return s + std::to_string(n); }, "n="),
                     3) == "n=3");
    CHECK(pool.apply([] { return 5; }) == 5);
    CHECK(pool.apply([&] { return 6; }) == 6); // captures nothing
    CHECK(pool.apply([](auto x, auto y) { return x * y; }, 2, 2.5) == 5.0);
    int captured = 5;
    const auto trusted = coproc::trust_captures([captured](int x) { return captured * x; });
    CHECK(pool.apply(trusted, 5) == 25);
    pool.apply([] {});
    STATIC_REQUIRE(std::is_void_v<decltype(pool.apply([](int) {}, 1))>);
    STATIC_REQUIRE(
        std::is_same_v<decltype(pool.apply_async(square, 1)), coproc::async_result<int>>);
    STATIC_REQUIRE(std::is_same_v<decltype(pool.apply_async([] {})), coproc::async_result<void>>);
    CHECK(pool.apply_async(square, 3).get() == 9);
}

TEST_CASE("a task runs in another process, or on another thread") {
    coproc::pool processes{on("process")};
    CHECK(processes.apply([] { return ::getpid(); }) != ::getpid());
    coproc::pool threads{on("dummy")};
    CHECK(threads.apply([] { return ::getpid(); }) == ::getpid());
    CHECK(threads.apply([] { return std::this_thread::get_id() == std::thread::id{}; }) == false);
}

TEST_CASE("arguments and results of all the types that travel") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto same = [&](auto value) { return pool.apply(echo<decltype(value)>, value) == value; };

    CHECK(same(true));
    CHECK(same('x'));
    CHECK(same(-5));
    CHECK(same(std::uint64_t{1} << 63));
    CHECK(same(2.5));
    CHECK(same(1.25L));
    CHECK(same(colour::green));
    CHECK(same("text with \0 inside"s));
    CHECK(same(std::vector<int>{1, 2, 3}));
    CHECK(same(std::vector<bool>{true, false, true}));
    CHECK(same(std::vector<std::string>{"a", "", "c"}));
    CHECK(same(std::deque<int>{1, 2}));
    CHECK(same(std::list<std::string>{"x"}));
    CHECK(same(std::forward_list<int>{3, 4}));
    CHECK(same(std::map<std::string, std::vector<int>>{{"one", {1}}, {"none", {}}}));
    CHECK(same(std::unordered_map<int, std::string>{{1, "one"}}));
    CHECK(same(std::set<int>{3, 1, 2}));
    CHECK(same(std::optional<int>{}));
    CHECK(same(std::optional<std::string>{"there"}));
    CHECK(same(std::variant<int, std::string>{"second"s}));
    CHECK(same(std::tuple<int, std::string, double>{1, "two", 3.0}));
    CHECK(same(std::pair<int, std::string>{1, "b"}));
    CHECK(same(std::array<int, 3>{1, 2, 3}));
    CHECK(same(std::array<std::string, 2>{"1", "2"}));
    CHECK(same(std::chrono::milliseconds{17}));
    CHECK(same(std::filesystem::path{"/tmp/some where"}));
    CHECK(same(std::make_error_code(std::errc::no_such_file_or_directory)));
    CHECK(same(point{1, 2, "here"}));
    CHECK(same(
        std::map<int, std::vector<std::optional<point>>>{{1, {point{1, 2, "a"}, std::nullopt}}}));
    CHECK(same(std::string(3'000'000, 'x')));
    CHECK(pool.apply(echo<price>, price{99}).cents() == 99);
}

TEST_CASE("arguments and results that can only be moved") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    using owner = std::unique_ptr<int>;

    CHECK(*pool.apply([](owner p) { return std::make_unique<int>(*p + 1); },
                      std::make_unique<int>(41)) == 42);
    auto handle = pool.apply_async([] { return std::make_unique<std::string>("mine"); });
    CHECK(*handle.get() == "mine");

    std::vector<owner> inputs;
    for (int i = 0; i < 5; ++i)
        inputs.push_back(std::make_unique<int>(i));
    const auto results =
        pool.map([](owner p) { return std::make_unique<int>(*p * 10); }, std::move(inputs));
    REQUIRE(results.size() == 5);
    for (int i = 0; i < 5; ++i)
        CHECK(*results[static_cast<std::size_t>(i)] == 10 * i);

    std::vector<owner> more;
    more.push_back(std::make_unique<int>(4));
    int sum = 0;
    for (const owner& p :
         pool.imap([](owner p) { return std::make_unique<int>(*p + 1); }, std::move(more)))
        sum += *p;
    CHECK(sum == 5);
}

TEST_CASE("what refers to something arrives as what owns it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};

    const auto is_string = [](const auto& x) {
        return std::is_same_v<std::decay_t<decltype(x)>, std::string>;
    };
    CHECK(pool.apply(is_string, "literal"));
    CHECK(pool.apply(is_string, std::string_view{"view"}));
    CHECK(pool.apply(repeat, "ab", 2) == "abab");
    const std::vector<int> numbers{1, 2, 3};
    const auto total = [](const std::vector<int>& v) {
        int sum = 0;
        for (int x : v)
            sum += x;
        return sum;
    };
    CHECK(pool.apply(total, std::span{numbers}) == 6);
    CHECK(pool.apply(total, numbers | std::views::drop(1)) == 5);
    const std::vector<std::string_view> views{"a", "b"};
    CHECK(pool.apply([](const std::vector<std::string>& v) { return v.at(0) + v.at(1); }, views) ==
          "ab");
    CHECK(pool.map(is_string, {"a", "b"}) == std::vector<bool>{true, true});
    CHECK(pool.map([](const std::string& s) { return s.size(); }, views) ==
          std::vector<std::size_t>{1, 1});
    CHECK(pool.starmap(repeat, std::vector<std::pair<std::string_view, int>>{{"x", 3}}) ==
          std::vector<std::string>{"xxx"});

    // Results too; callables get decayed rvalues, as with std::thread.
    const std::string result = pool.apply([]() -> const std::string& { return kept_text; });
    CHECK(result == "kept");
    const std::string text = pool.apply([] { return std::string_view{kept_text}; });
    CHECK(text == "kept");
    CHECK(pool.apply([](std::string&& s) { return s.size(); }, "four"s) == 4);
    std::string mine = "mine";
    CHECK(pool.apply([](std::string s) { return s += "!"; }, mine) == "mine!");
    CHECK(mine == "mine");
}

TEST_CASE("calls are const, and so are those with options") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const coproc::pool pool{on(backend)};
    const auto urgent = pool.with({.priority = 1, .label = "urgent"});
    CHECK(pool.apply(square, 3) == 9);
    CHECK(urgent.apply(square, 3) == 9);
    CHECK(urgent.map(square, {1, 2}) == std::vector<int>{1, 4});
    CHECK(urgent.with({.label = "most urgent"}).starmap_async(plus, {std::pair{1, 2}}).get() ==
          std::vector<int>{3});
    auto squares = urgent.imap(square, std::views::iota(1));
    CHECK(squares.next(patience) == 1);
    auto any = std::vector{2} | coproc::views::imap_unordered(urgent, square);
    CHECK(any.next(patience) == 4);
}

TEST_CASE("which callables and types are accepted is known at compile time") {
    STATIC_REQUIRE(coproc::sendable<int>);
    STATIC_REQUIRE(coproc::sendable<point>);
    STATIC_REQUIRE(coproc::sendable<std::unique_ptr<point>>);
    STATIC_REQUIRE(!coproc::sendable<int*>);
    STATIC_REQUIRE(!coproc::sendable<std::mutex>);
    STATIC_REQUIRE(coproc::job_callable<decltype(square)&, int>);
    STATIC_REQUIRE(coproc::job_callable<times_two, int>);
    STATIC_REQUIRE(coproc::job_callable<affine, int>);
    STATIC_REQUIRE(!coproc::job_callable<times_two, int*>);
    STATIC_REQUIRE(!coproc::job_callable<times_two, std::string>);
    int x = 0;
    auto capturing = [&x](int y) { return x + y; };
    STATIC_REQUIRE(!coproc::job_callable<decltype(capturing), int>);
    auto copying = [x](int y) { return x + y; };
    STATIC_REQUIRE(!coproc::job_callable<decltype(copying), int>);
    auto bound = coproc::bind_front(plus, 1);
    STATIC_REQUIRE(coproc::job_callable<decltype(bound), int>);
}

TEST_CASE("map takes every kind of range, and delivers in input order") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const std::vector<int> expected{1, 4, 9};

    std::vector<int> lvalue{1, 2, 3};
    CHECK(pool.map(square, lvalue) == expected);
    CHECK(lvalue == std::vector<int>{1, 2, 3});
    const auto constant = lvalue;
    CHECK(pool.map(square, constant) == expected);
    CHECK(pool.map(square, std::vector<int>{1, 2, 3}) == expected);
    CHECK(pool.map(square, {1, 2, 3}) == expected);
    const int array[] = {1, 2, 3};
    CHECK(pool.map(square, array) == expected);
    CHECK(pool.map(square, std::array{1, 2, 3}) == expected);
    CHECK(pool.map(square, std::list{1, 2, 3}) == expected);
    CHECK(pool.map(square, std::set{3, 1, 2}) == expected);
    CHECK(pool.map(square, std::span{array}) == expected);
    CHECK(pool.map(square, std::views::iota(1, 4)) == expected);
    const auto lazy = lvalue | std::views::transform([](int x) { return x; });
    CHECK(pool.map(square, lazy) == expected);
    CHECK(pool.map(square, lvalue | std::views::filter([](int x) { return x != 2; })) ==
          std::vector<int>{1, 9});
    std::istringstream text{"1 2 3"};
    CHECK(pool.map(square, std::views::istream<int>(text)) == expected);
    CHECK(pool.map(square, ranges::views::iota(1, 4)) == expected);
    CHECK(pool.map(square, lvalue | ranges::views::transform([](int x) { return x; })) == expected);
    CHECK(pool.starmap(plus, ranges::views::zip(lvalue, constant)) == std::vector<int>{2, 4, 6});
    CHECK(pool.map([](bool b) { return !b; }, std::vector<bool>{true, false}) ==
          std::vector<bool>{false, true});
    CHECK(pool.map(square, std::vector<int>{}).empty());
    CHECK(pool.map(square, std::vector<int>(1, 5)) == std::vector<int>{25});
    CHECK(pool.map([](const auto& pair) { return pair.first + pair.second; },
                   std::map<int, int>{{1, 2}}) == std::vector<int>{3});
    CHECK(pool.map([](int x) { return price{x}; }, lvalue).at(2).cents() == 3);
    CHECK(pool.map_async(square, lvalue).get() == expected);
    CHECK(pool.map_async(square, {1, 2, 3}).get() == expected);

    STATIC_REQUIRE(std::is_same_v<decltype(pool.map_async(square, lvalue)),
                                  coproc::async_result<std::vector<int>>>);
    STATIC_REQUIRE(
        std::is_same_v<decltype(pool.map_async([](int) {}, lvalue)), coproc::async_result<void>>);
    STATIC_REQUIRE(std::is_void_v<decltype(pool.map([](int) {}, lvalue))>);

    const auto many = pool.map(square, std::views::iota(0, 20'000));
    REQUIRE(many.size() == 20'000);
    CHECK(std::ranges::is_sorted(many.begin(), many.begin() + 1000));
    CHECK(many[19'999] == 19'999 * 19'999);
}

TEST_CASE("starmap unpacks tuples, pairs and arrays") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const std::vector<int> expected{3, 7};

    const std::vector<std::tuple<int, int>> tuples{{1, 2}, {3, 4}};
    CHECK(pool.starmap(plus, tuples) == expected);
    CHECK(pool.starmap_async(plus, tuples).get() == expected);
    CHECK(pool.starmap(plus, {std::pair{1, 2}, std::pair{3, 4}}) == expected);
    CHECK(pool.starmap_async(plus, {std::pair{1, 2}, std::pair{3, 4}}).get() == expected);
    CHECK(pool.starmap(plus, std::vector{std::array{1, 2}, std::array{3, 4}}) == expected);
    CHECK(pool.starmap(plus, std::map<int, int>{{1, 2}, {3, 4}}) == expected);
    CHECK(pool.starmap(repeat, {std::tuple{"ab"s, 2}}) == std::vector<std::string>{"abab"});
    pool.starmap([](int, int) {}, tuples);
}

TEST_CASE("map functions without a result") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    {
        coproc::pool pool{on(backend)};
        pool.map([](const std::string& path) { raise_sign(path); },
                 {seen.path("a"), seen.path("b")});
        CHECK(seen.count("") == 2);
        pool.map_async([](const std::string& path) { raise_sign(path); },
                       std::vector{seen.path("c")})
            .get();
        CHECK(seen.count("") == 3);
        int items = 0;
        for ([[maybe_unused]] std::monostate nothing :
             pool.imap([](const std::string& path) { raise_sign(path); }, {seen.path("d")}))
            ++items;
        CHECK(items == 1);
        CHECK(seen.count("") == 4);
    }
}

TEST_CASE("map_async has read its whole input when it returns") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto busy = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    auto input = std::make_unique<std::vector<int>>(std::vector<int>{1, 2, 3});
    auto result = pool.map_async(square, *input);
    input->assign(3, 0);
    input.reset();
    raise_sign(seen.path("out"));
    CHECK(result.get() == std::vector<int>{1, 4, 9});
    CHECK(busy.get() == 1);
}

TEST_CASE("a range that throws leaves the pool as it was") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto broken = std::views::iota(0, 10) | std::views::transform([](int i) {
                            if (i == 3) throw std::range_error{"the input broke"};
                            return i;
                        });
    CHECK_THROWS_AS(pool.map_async(square, broken), std::range_error);
    std::vector<int> got;
    CHECK_THROWS_AS(
        [&] {
            for (int x : pool.imap(square, broken))
                got.push_back(x);
        }(),
        std::range_error);
    CHECK(got == std::vector<int>{0, 1, 4});
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("an exception of a standard type arrives as itself, and says which task it was") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const bool processes = backend == "process";

    auto failing =
        pool.with({.label = "lookup"})
            .apply_async(
                [](int i) { return std::vector<int>{1, 2}.at(static_cast<std::size_t>(i)); }, 5);
    failing.wait();
    CHECK(failing.ready());
    CHECK_FALSE(failing.successful());
    CHECK_THROWS_AS(failing.get(), std::out_of_range);
    const auto failure = thrown<coproc::task_failure>([&] { failing.get(); });
    REQUIRE(failure);
    CHECK(failure->label() == "lookup");
    CHECK(failure->index() == 0);
    CHECK((failure->worker_pid() != ::getpid()) == processes);
    CHECK(failure->worker_pid() > 0);

    CHECK_THROWS_AS(pool.apply([] { throw std::logic_error{"l"}; }), std::logic_error);
    CHECK_THROWS_AS(pool.apply([] { throw std::bad_alloc{}; }), std::bad_alloc);
    CHECK_THROWS_AS(pool.apply([] { throw std::invalid_argument{"i"}; }), std::invalid_argument);
    const auto system = thrown<std::system_error>([&] {
        pool.apply(
            [] { throw std::system_error{std::make_error_code(std::errc::io_error), "reading"}; });
    });
    REQUIRE(system);
    CHECK(system->code() == std::errc::io_error);
    CHECK_THROWS_WITH(pool.apply([] { throw std::runtime_error{"the text\nof it"}; }),
                      "the text\nof it");
    CHECK_THROWS_AS(pool.apply([] { throw coproc::queue_empty_error{}; }),
                    coproc::queue_empty_error);

    // A map: the lowest index, once nothing of it runs any more.
    const auto in_map = thrown<coproc::task_failure>([&] {
        pool.with({.label = "m"})
            .map(
                [](int i) {
                    if (i >= 3) throw std::domain_error{"item " + std::to_string(i)};
                    return i;
                },
                std::views::iota(0, 100));
    });
    REQUIRE(in_map);
    CHECK(in_map->index() == 3);
    CHECK(in_map->label() == "m");
    CHECK_THROWS_WITH(
        pool.map([](int i) { return i >= 3 ? throw std::domain_error{std::to_string(i)} : i; },
                 std::views::iota(0, 100)),
        "3");
    CHECK_THROWS_AS(pool.starmap([](int, int) { throw std::domain_error{"s"}; }, {std::pair{1, 2}}),
                    std::domain_error);
    CHECK(pool.apply(square, 2) == 4);
}

namespace {

struct odd_error {
    int number = 0;
};

class user_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Registered, with state.
class coded_error : public std::exception {
public:
    coded_error() = default;
    explicit coded_error(int code) : code_{code}, text_{"code " + std::to_string(code)} {}
    auto members() { return std::tie(code_, text_); }
    [[nodiscard]] int code() const { return code_; }
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
    int code_ = 0;
    std::string text_;
};

/// Registered late, made from its text.
class late_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace

TEST_CASE("an exception of the user's own type is a remote_error until it is registered") {
    coproc::pool pool{on("process")};
    const auto error = thrown<coproc::remote_error>(
        [&] { pool.with({.label = "mine"}).apply([] { throw user_error{"as it was"}; }); });
    REQUIRE(error);
    CHECK_THAT(error->type_name(), ContainsSubstring("user_error"));
    CHECK(error->what() == "as it was"s);
    CHECK(error->label() == "mine");
    CHECK(error->worker_pid() > 0);
    CHECK_NOTHROW(error->backtrace());
    const auto odd = thrown<coproc::remote_error>([&] { pool.apply([] { throw odd_error{3}; }); });
    REQUIRE(odd);
    CHECK_THAT(odd->type_name(), ContainsSubstring("odd_error"));
    CHECK_THROWS_AS(pool.apply([] { throw 42; }), coproc::remote_error);
    CHECK(pool.apply(square, 2) == 4);
}

TEST_CASE(
    "a registered exception arrives as itself, also when it is registered while workers run") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::register_exception<coded_error>();
    coproc::pool pool{on(backend)};
    const auto coded =
        thrown<coded_error>([&] { pool.apply([](int code) { throw coded_error{code}; }, 17); });
    REQUIRE(coded);
    CHECK(coded->code() == 17);
    CHECK(coded->what() == "code 17"s);
    CHECK_THROWS_AS(pool.with({.label = "c"}).apply([] { throw coded_error{1}; }),
                    coproc::task_failure);

    if (backend == "process")
        CHECK_THROWS_AS(pool.apply([] { throw late_error{"early"}; }), coproc::remote_error);
    coproc::register_exception<late_error>();
    const auto late = thrown<late_error>([&] { pool.apply([] { throw late_error{"now"}; }); });
    REQUIRE(late);
    CHECK(late->what() == "now"s);
    const auto where = thrown<coproc::task_failure>(
        [&] { pool.map([](int i) { return i == 2 ? throw late_error{"x"} : i; }, {0, 1, 2}); });
    REQUIRE(where);
    CHECK(where->index() == 2);
}

TEST_CASE("nested exceptions arrive nested") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto inner_text = [&] {
        try {
            pool.apply([] {
                try {
                    throw std::out_of_range{"the cause"};
                } catch (...) {
                    std::throw_with_nested(std::runtime_error{"the effect"});
                }
            });
        } catch (const std::runtime_error& outer) {
            CHECK(outer.what() == "the effect"s);
            CHECK_THAT(coproc::format_exception(std::current_exception()),
                       ContainsSubstring("the cause"));
            try {
                std::rethrow_if_nested(outer);
            } catch (const std::out_of_range& inner) {
                return std::string{inner.what()};
            }
        }
        return std::string{"nothing nested"};
    }();
    CHECK(inner_text == "the cause");
}

TEST_CASE("a map fails once no more of its tasks run") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 2)};
    // Item 0 fails when item 1 runs; item 2 and those behind never start.
    auto failing = pool.with({.chunk_size = 1})
                       .map_async(coproc::bind_front(
                                      [](const std::string& in, const std::string& out,
                                         const std::string& late, int i) {
                                          if (i == 0) {
                                              await_sign(in);
                                              throw std::runtime_error{"first"};
                                          }
                                          if (i > 1) raise_sign(late);
                                          return hold(in, out);
                                      },
                                      seen.path("in"), seen.path("out"), seen.path("late")),
                                  std::views::iota(0, 50));
    REQUIRE(eventually([&] { return pool.stats().failed == 1; }));
    CHECK_FALSE(failing.ready());
    CHECK_THROWS_AS(failing.get(1ms), coproc::timeout_error);
    raise_sign(seen.path("out"));
    CHECK_THROWS_WITH(failing.get(patience), "first");
    CHECK_FALSE(sees_sign(seen.path("late")));
    CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("close lets what was given finish; after it nothing more is taken") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto running = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    auto queued = pool.map_async(square, {1, 2, 3});
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    CHECK_THROWS_AS(pool.join(), std::logic_error);
    CHECK_THROWS_AS(pool.join(1ms), std::logic_error);
    CHECK_THROWS_AS(pool.async_join(asio::use_future), std::logic_error);
    pool.close();
    pool.close();
    CHECK_FALSE(pool.join(1ms));
    CHECK_THROWS_AS(pool.apply(square, 1), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.apply_async(square, 1), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.map_async(square, {1}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.map(square, std::vector<int>{}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.starmap(plus, {std::pair{1, 2}}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.imap(square, {1}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.imap_unordered(square, {1}), coproc::pool_closed_error);
    CHECK_THROWS_AS(pool.with({.priority = 1}).apply(square, 1), coproc::pool_closed_error);
    auto joined = pool.async_join(asio::use_future);
    raise_sign(seen.path("out"));
    pool.join();
    CHECK(pool.join(patience));
    REQUIRE(joined.wait_for(patience) == std::future_status::ready);
    joined.get();
    CHECK(running.get() == 1);
    CHECK(queued.get() == std::vector<int>{1, 4, 9});
    CHECK(pool.stats().workers == 0);
}

namespace {

/// What the error of a task says of it.
std::string label_of(coproc::async_result<int>& failed) {
    try {
        failed.get(patience);
    } catch (const coproc::task_failure& e) {
        return std::string{e.label()};
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
    }
    return "says nothing";
}

} // namespace

TEST_CASE("terminate fails what waits and what runs") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 1)};
    auto running = pool.apply_async(hold, seen.path("in"), seen.path("never"));
    auto queued = pool.apply_async(square, 3);
    auto labelled = pool.with({.label = "the last one"}).apply_async(square, 3);
    auto map = pool.map_async(square, {1, 2});
    auto stream = pool.imap(square, {1, 2});
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    pool.terminate();
    CHECK_THROWS_AS(running.get(patience), coproc::cancelled_error);
    CHECK_THROWS_AS(queued.get(patience), coproc::cancelled_error);
    CHECK(label_of(labelled) == "the last one");
    CHECK_THROWS_AS(map.get(patience), coproc::cancelled_error);
    CHECK_THROWS_AS(stream.next(patience), coproc::cancelled_error);
    CHECK(stream.next(patience) == std::nullopt);
    CHECK_THROWS_AS(pool.apply_async(square, 1), coproc::pool_closed_error);
    pool.terminate();
    CHECK(pool.join(patience));
    pool.join();
}

TEST_CASE("a pool is joined from a coroutine") {
    const auto backend = each_backend();
    CAPTURE(backend);
    run([](std::string name) -> asio::awaitable<void> {
        coproc::pool pool{on(name)};
        auto result = pool.apply_async(square, 3);
        pool.close();
        co_await pool.async_join();
        CHECK(result.ready());
        const int value = co_await std::move(result);
        CHECK(value == 9);
        co_await pool.async_join(asio::use_awaitable);
    }(backend));
}

TEST_CASE("a coroutine that joins does not cut off a stream that another one reads") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    asio::io_context context;
    int read = 0;
    bool joined = false;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            auto squares = pool.imap(square, std::views::iota(0, 60));
            while (co_await squares.next())
                ++read;
        },
        [](const std::exception_ptr& error) { CHECK_FALSE(error); });
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            pool.close();
            co_await pool.async_join();
            joined = true;
        },
        [](const std::exception_ptr& error) { CHECK_FALSE(error); });
    context.run_for(patience);
    CHECK(read == 60);
    CHECK(joined);
}

TEST_CASE("results and streams that are there stay valid after the pool is gone") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::async_result<int> done;
    coproc::async_result<std::vector<int>> list;
    coproc::async_result<int> failed;
    coproc::async_result<int> dropped;
    coproc::stream<int> stream;
    signs seen;
    {
        coproc::pool pool{on(backend, 1)};
        done = pool.apply_async(square, 5);
        list = pool.map_async(square, {1, 2});
        failed = pool.apply_async([]() -> int { throw std::runtime_error{"kept"}; });
        failed.wait();
        list.wait();
        stream = pool.imap(square, {1, 2, 3});
        CHECK(stream.next(patience) == 1);
        dropped = pool.apply_async(hold, seen.path("in"), seen.path("never"));
        REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    }
    CHECK(done.get() == 25);
    CHECK(list.get() == std::vector<int>{1, 4});
    CHECK_THROWS_WITH(failed.get(), "kept");
    CHECK_THROWS_AS(dropped.get(), coproc::cancelled_error);
    // What had arrived is delivered, then the end or the cancellation.
    try {
        while (stream.next(patience)) {}
    } catch (const coproc::cancelled_error&) {}
    CHECK(stream.next(patience) == std::nullopt);
}

TEST_CASE("a pool that has been moved from is closed, and the other one works") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool first{on(backend)};
    auto before = first.apply_async(square, 2);
    coproc::pool second{std::move(first)};
    CHECK(second.apply(square, 3) == 9);
    CHECK(before.get() == 4);
    CHECK_THROWS_AS(first.apply(square, 3),
                    coproc::pool_closed_error); // NOLINT(bugprone-use-after-move)
    CHECK_THROWS_AS(first.map(square, {3}), coproc::pool_closed_error);                // NOLINT
    CHECK_THROWS_AS(first.imap(square, {3}), coproc::pool_closed_error);               // NOLINT
    CHECK_THROWS_AS(first.with({}).apply_async(square, 3), coproc::pool_closed_error); // NOLINT
    first.close();
    first.terminate();
    first.join();
    CHECK(first.join(1ms));
    CHECK(first.workers() == 0);
    CHECK(first.stats().workers == 0);
    coproc::pool third{on(backend, 1)};
    third = std::move(second); // the former pool of third ends
    CHECK(third.workers() == 2);
    CHECK(third.apply(square, 4) == 16);
    first = coproc::pool{on(backend, 1)};
    CHECK(first.apply(square, 5) == 25);
}

TEST_CASE("stats count calls and items") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    coproc::pool pool{on(backend, 2)};
    CHECK(pool.workers() == 2);
    REQUIRE(eventually([&] { return pool.stats().idle == 2; }));
    CHECK(pool.stats().workers == 2);
    CHECK(pool.stats().workers_started == 2);
    pool.map(square, std::views::iota(0, 10));
    pool.apply(square, 1);
    CHECK_THROWS(pool.apply([] { throw std::runtime_error{"x"}; }));
    CHECK(pool.stats().completed == 11);
    CHECK(pool.stats().failed == 1);

    auto a = pool.apply_async(hold, seen.path("in1"), seen.path("out"));
    auto b = pool.apply_async(hold, seen.path("in2"), seen.path("out"));
    REQUIRE(eventually([&] { return seen.count("in") == 2; }));
    auto c = pool.apply_async(square, 1);
    auto d = pool.map_async(square, {1, 2, 3});
    CHECK(pool.stats().running == 2);
    CHECK(pool.stats().queued == 4);
    CHECK(pool.stats().idle == 0);
    CHECK(c.cancel());
    CHECK(pool.stats().cancelled == 1);
    CHECK(pool.stats().queued == 3);
    raise_sign(seen.path("out"));
    d.get();
    a.get();
    b.get();
    CHECK(pool.stats().completed == 16);
    CHECK_THROWS_AS(pool.with({.timeout = 1ms}).apply([] { return await_sign("/nowhere"); }),
                    coproc::timeout_error);
    CHECK(pool.stats().timed_out == 1);
}

TEST_CASE("tasks make pools of their own") {
    const auto backend = each_backend();
    const auto inner = GENERATE(as<std::string>{}, "process", "dummy");
    CAPTURE(backend, inner);
    coproc::pool pool{on(backend, 2)};
    const auto sums = pool.map(coproc::bind_front(
                                   [](const std::string& name, int n) {
                                       coproc::pool own{on(name, 1)};
                                       int sum = 0;
                                       for (int x : own.map(square, std::views::iota(0, n)))
                                           sum += x;
                                       return sum;
                                   },
                                   inner),
                               {2, 3, 4});
    CHECK(sums == std::vector<int>{1, 5, 14});
    CHECK_THROWS_AS(
        pool.apply(
            [](const std::string& name) {
                coproc::pool own{on(name, 1)};
                return own.apply(
                    [](int i) { return std::vector<int>{}.at(static_cast<std::size_t>(i)); }, 1);
            },
            inner),
        std::out_of_range);
}

TEST_CASE("many threads use one pool") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 2)};
    std::atomic<int> wrong{0};
    std::vector<std::thread> users;
    for (int t = 0; t < 4; ++t)
        users.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                if (pool.apply(plus, t, i) != t + i) ++wrong;
                if (pool.map(square, {t, i}) != std::vector<int>{t * t, i * i}) ++wrong;
            }
        });
    for (auto& each : users)
        each.join();
    CHECK(wrong == 0);
}

TEST_CASE("functions of a shared library that was opened after the workers started") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    CHECK(pool.apply(square, 2) == 4);
    void* const library = ::dlopen(COPROC_TEST_BINARY_DIR "/arithmetic.so", RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library != nullptr);
    auto* const add = reinterpret_cast<int (*)(int, int)>(::dlsym(library, "plugin_plus"));
    auto* const subtract = reinterpret_cast<int (*)(int, int)>(::dlsym(library, "plugin_minus"));
    REQUIRE(add != nullptr);
    CHECK(pool.apply(add, 40, 2) == 42);
    CHECK(pool.starmap(subtract, {std::pair{5, 3}, std::pair{1, 1}}) == std::vector<int>{2, 0});
    // A function of a library that is linked.
    CHECK(pool.apply(static_cast<int (*)(int)>(&::toupper), int{'a'}) == 'A');
}
