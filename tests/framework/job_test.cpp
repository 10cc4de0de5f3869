// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/job.hpp>

#include "support/catch.hpp"

#include <coproc/detail/call_invoker.hpp>

#include <functional>
#include <list>
#include <map>
#include <numeric>

using namespace coproc;
using namespace coproc::detail;

namespace {

/// A worker without a process: keeps what it was told.
class fake_call final : public call_context {
public:
    using call_context::call_context;

    void begin_item(std::uint32_t index) noexcept override { begun.push_back(index); }
    writer& reply(std::size_t size, std::size_t) override {
        bytes.resize(size);
        return out.emplace(bytes, &descriptors);
    }

    std::vector<std::uint32_t> begun;
    std::vector<std::byte> bytes;
    std::vector<int> descriptors;
    std::optional<writer> out;
};

/// There and back, as apply does it.
template <class F, class... Args>
auto call_there(F&& function, Args&&... args) {
    STATIC_REQUIRE(job_callable<F, Args...>);
    using callable = std::decay_t<F>;
    using result = call_result_t<F, Args...>;
    const callable f = std::forward<F>(function);
    const std::tuple<travel_t<Args>...> a{to_travel(std::forward<Args>(args))...};
    sizer s;
    std::apply([&](const auto&... x) { size_call(s, f, x...); }, a);
    std::vector<std::byte> bytes(s.size());
    writer w{bytes};
    std::apply([&](const auto&... x) { encode_call(w, f, x...); }, a);
    CHECK(w.room() == 0);

    reader in{bytes};
    fake_call call{in};
    call_invoker<callable, result, travel_t<Args>...>::invoke(call);
    CHECK(in.left() == 0);
    CHECK(call.begun.front() == 0);
    CHECK(call.out->room() == 0);
    reader reply{call.bytes};
    return decode_reply<result>(reply);
}

template <class R>
struct map_outcome {
    std::vector<R> values;
    std::uint32_t ok = 0;
    std::exception_ptr error;
    std::vector<std::uint32_t> begun;
};

/// There and back, as map does it.
template <bool Star = false, class F, class Item>
auto map_there(F&& function, const std::vector<Item>& items) {
    using callable = std::decay_t<F>;
    using result = typename decltype([] {
        if constexpr (Star) {
            return []<std::size_t... I>(std::index_sequence<I...>) {
                return std::type_identity<call_result_t<F, std::tuple_element_t<I, Item>...>>{};
            }(std::make_index_sequence<std::tuple_size_v<Item>>{});
        } else {
            return std::type_identity<call_result_t<F, Item>>{};
        }
    }())::type;
    const callable f = std::forward<F>(function);
    const auto count = static_cast<std::uint32_t>(items.size());
    sizer s;
    size_chunk(s, f, items.data(), count);
    std::vector<std::byte> bytes(s.size());
    writer w{bytes};
    encode_chunk(w, f, items.data(), count);
    CHECK(w.room() == 0);

    reader in{bytes};
    fake_call call{in};
    chunk_invoker<callable, result, Item, Star>::invoke(call);
    CHECK(call.out->room() == 0);
    reader reply{call.bytes};
    map_outcome<std::conditional_t<std::is_void_v<result>, int, result>> outcome;
    const auto told = decode_chunk_reply<result>(
        reply, count,
        [](std::uint32_t i) {
            return failure_info{.index = 10 + i, .worker_name = {}, .label = {}, .backtrace = {}};
        },
        [&](std::uint32_t i, auto&&... value) {
            CHECK(i == outcome.ok++);
            (outcome.values.push_back(std::forward<decltype(value)>(value)), ...);
        });
    CHECK(told.ok == outcome.ok);
    CHECK(reply.left() == 0);
    outcome.error = told.error;
    outcome.begun = call.begun;
    return outcome;
}

int twice(int x) { return 2 * x; }
std::string join(std::string a, const std::string& b) { return a + b; }
void nothing_at_all() {}

struct adder {
    int n = 0;
    int operator()(int x) const { return n + x; }
};

class multiplier {
public:
    multiplier() = default;
    explicit multiplier(int n) : n_{n} {}
    int operator()(int x) const { return n_ * x; }
    auto members() { return std::tie(n_); }

private:
    int n_ = 1;
};

struct only_lvalue {
    int operator()(int x) & { return x; }
};
struct only_rvalue {
    int operator()(int x) && { return x + 1; }
};

struct person {
    std::string name;
    int age = 0;
    std::string greet(const std::string& word) const { return word + ", " + name; }
};

/// A result that cannot always be encoded.
struct moody {
    int value = 0;
};

} // namespace

template <>
struct coproc::codec<moody> {
    static void size(detail::sizer& s, const moody& m) {
        if (m.value == 3) throw std::runtime_error{"size: not a three"};
        s.bytes(sizeof(int));
    }
    static void encode(detail::writer& w, const moody& m) {
        if (m.value == 5) throw std::runtime_error{"encode: not a five"};
        w.raw(m.value);
    }
    static moody decode(detail::reader& r) {
        const moody m{r.raw<int>()};
        if (m.value == 7) throw std::runtime_error{"decode: not a seven"};
        return m;
    }
};

// --- what is a job -------------------------------------------------------------------------------

static_assert(job_callable<decltype(twice), int> && job_callable<decltype(&twice), short> &&
              job_callable<decltype(nothing_at_all)&>);
static_assert(job_callable<adder, int> && job_callable<multiplier&, int> &&
              job_callable<std::plus<>, int, double>);
static_assert(job_callable<decltype(join)&, const char (&)[3], std::string_view>);
static_assert(job_callable<decltype(&person::greet), person, const char*> &&
              job_callable<decltype(&person::age), person>);
static_assert(job_callable<decltype(coproc::bind_front(&join, "a")), std::string>);
static_assert(job_callable<decltype(coproc::bind_front(coproc::bind_front(&join, "a"), "b"))>);
static_assert(!job_callable<decltype(twice), std::string> && !job_callable<decltype(twice), int*> &&
              !job_callable<decltype(twice)>);
static_assert(!job_callable<decltype([n = 1](int x) { return n + x; }), int> &&
              !job_callable<std::function<int(int)>, int>);
static_assert(!job_callable<decltype(coproc::bind_front([n = 1](int x) { return n + x; }, 1))>);
static_assert(!job_callable<decltype(coproc::bind_front([](int* x) { return x != nullptr; },
                                                        static_cast<int*>(nullptr)))>);
static_assert(!job_callable<int* (*)()> && job_callable<const char* (*)()> &&
              job_callable<const std::string& (*)()>);
static_assert(!std::is_aggregate_v<decltype(coproc::bind_front(&join, "a"))>); // safe in a co_await
                                                                               // expression

TEST_CASE("job: every kind of callable can be called elsewhere") {
    CHECK(call_there(twice, 4) == 8);
    CHECK(call_there(&twice, short{4}) == 8);
    CHECK(call_there([](int x) { return x + 1; }, 4) == 5);
    CHECK(call_there([&](int x) { return x + 1; }, 4) == 5);
    CHECK(call_there(adder{3}, 4) == 7);
    CHECK(call_there(multiplier{3}, 4) == 12);
    CHECK(call_there(std::plus<>{}, 1, 2.5) == 3.5);
    CHECK(call_there(only_lvalue{}, 1) == 1);
    CHECK(call_there(only_rvalue{}, 1) == 2);
    CHECK(call_there(&person::greet, person{"Ada", 36}, "Hello") == "Hello, Ada");
    CHECK(call_there(&person::age, person{"Ada", 36}) == 36);
    call_there(nothing_at_all);
}

TEST_CASE("job: arguments arrive as decayed rvalues, views as what they show") {
    CHECK(call_there(join, "a", std::string_view{"b"}) == "ab");
    CHECK(call_there([](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(5)) == 5);
    CHECK(*call_there([](std::unique_ptr<int>&& p) { return std::move(p); },
                      std::make_unique<int>(5)) == 5);
    const int numbers[] = {1, 2, 3};
    CHECK(
        call_there([](const std::vector<int>& v) { return std::accumulate(v.begin(), v.end(), 0); },
                   std::span{numbers}) == 6);
}

TEST_CASE("job: results that only refer to something own it when they arrive") {
    const auto text =
        call_there([](const std::string& s) { return std::string_view{s}; }, "argument");
    STATIC_REQUIRE(std::is_same_v<decltype(text), const std::string>);
    CHECK(text == "argument");
    CHECK(call_there([]() -> const char* { return "literal"; }) == "literal");
    CHECK(call_there([](const std::vector<int>& v) -> const int& { return v.back(); },
                     std::vector{1, 2}) == 2);
}

TEST_CASE("job: bind_front binds what would have been captured") {
    CHECK(call_there(coproc::bind_front(join, "front-"), "back") == "front-back");
    const std::map<std::string, int> table{{"x", 4}};
    CHECK(call_there(coproc::bind_front(
                         [](const auto& t, const std::string& key) { return t.at(key); }, table),
                     "x") == 4);
    CHECK(
        call_there(
            coproc::bind_front(
                coproc::bind_front([](int a, int b, int c) { return 100 * a + 10 * b + c; }, 1), 2),
            3) == 123);
    CHECK(call_there(coproc::bind_front(adder{2}), 3) == 5);
    CHECK(call_there(coproc::bind_front(&person::greet, person{"Ada", 36}), "Hi") == "Hi, Ada");
    CHECK(call_there(coproc::bind_front([](std::unique_ptr<int> p, int x) { return *p + x; },
                                        std::make_unique<int>(5)),
                     1) == 6);
    const auto here = coproc::bind_front(join, std::string{"a"});
    CHECK(here("b") == "ab");
}

TEST_CASE("job: trust_captures sends a lambda as it lies in memory") {
    int n = 5;
    double d = 0.5;
    CHECK(call_there(trust_captures([n, d](int x) { return n + d + x; }), 1) == 6.5);
}

TEST_CASE("job: an exception leaves the invoker") {
    CHECK_THROWS_AS(call_there([](int x) -> int { throw std::out_of_range{std::to_string(x)}; }, 1),
                    std::out_of_range);
    CHECK_THROWS_AS(call_there([](moody) {}, moody{7}), std::runtime_error);
    CHECK_THROWS_AS(call_there([] { return moody{3}; }), std::runtime_error);
}

TEST_CASE("job: a chunk returns its results in order") {
    std::vector<int> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto doubled = map_there(twice, numbers);
    CHECK(doubled.ok == 1000);
    CHECK(doubled.error == nullptr);
    CHECK(doubled.values[999] == 1998);
    CHECK(doubled.begun.back() == 999);

    CHECK(
        map_there([](const std::string& s) { return s + "!"; }, std::vector<std::string>{"a", "b"})
            .values == std::vector<std::string>{"a!", "b!"});
    CHECK(map_there([](int x) { return x > 1; }, std::vector{1, 2}).values ==
          std::vector{false, true});
    CHECK(map_there([](int) {}, std::vector{1, 2}).ok == 2);
    CHECK(map_there([](int x) { return x; }, std::vector<int>{}).ok == 0);
    CHECK(map_there([](std::monostate) { return std::monostate{}; }, std::vector<std::monostate>(3))
              .ok == 3);
    CHECK(map_there<true>([](int a, const std::string& b) { return b + std::to_string(a); },
                          std::vector<std::tuple<int, std::string>>{{1, "x"}, {2, "y"}})
              .values == std::vector<std::string>{"x1", "y2"});
    CHECK(map_there<true>(std::plus<>{}, std::vector<std::pair<int, int>>{{1, 2}}).values ==
          std::vector{3});
    CHECK(map_there(only_rvalue{}, std::vector{1}).values == std::vector{2});
    CHECK(map_there([](int x) { return std::make_unique<int>(x); }, std::vector{4})
              .values.at(0)
              .operator*() == 4);
}

namespace {

template <class R>
void failed_at(const map_outcome<R>& outcome, std::uint32_t index, const std::string& what) {
    CHECK(outcome.ok == index);
    REQUIRE(outcome.error != nullptr);
    try {
        std::rethrow_exception(outcome.error);
    } catch (const std::runtime_error& e) {
        CHECK(e.what() == what);
        CHECK(dynamic_cast<const task_failure&>(static_cast<const std::exception&>(e)).index() ==
              10 + index);
    }
}

} // namespace

TEST_CASE("job: a chunk stops at the first failure and keeps what was done before") {
    failed_at(map_there(
                  [](int x) {
                      if (x == 3) throw std::runtime_error{"three"};
                      return x;
                  },
                  std::vector{1, 2, 3, 4}),
              2, "three");
    failed_at(map_there(
                  [](int x) {
                      if (x == 1) throw std::runtime_error{"one"};
                  },
                  std::vector{1, 2}),
              0, "one");
}

TEST_CASE("job: an item that cannot be decoded fails by itself") {
    failed_at(map_there([](moody m) { return m.value; }, std::vector<moody>{{1}, {2}, {7}, {1}}), 2,
              "decode: not a seven");
}

TEST_CASE("job: a result that cannot be encoded fails its item") {
    failed_at(map_there([](int x) { return moody{x}; }, std::vector{1, 2, 3, 4}), 2,
              "size: not a three");
    failed_at(map_there([](int x) { return moody{x}; }, std::vector{1, 5, 3, 4}), 1,
              "encode: not a five");
    failed_at(
        map_there([](int x) -> std::variant<int, moody> { return moody{x}; }, std::vector{1, 5}), 1,
        "encode: not a five");
}

TEST_CASE("job: encoding a result is its item's business") {
    const auto outcome = map_there([](int x) { return std::to_string(x); }, std::vector{1, 2});
    CHECK(outcome.begun == std::vector<std::uint32_t>{0, 0, 1, 0, 1, 0, 1});
    CHECK(map_there(twice, std::vector{1, 2}).begun == std::vector<std::uint32_t>{0, 0, 1});
}

TEST_CASE("job: a damaged chunk or reply is refused") {
    std::vector<std::byte> bytes(4);
    const std::uint32_t huge = 4'000'000'000U;
    std::memcpy(bytes.data(), &huge, 4);
    reader in{bytes};
    fake_call call{in};
    const auto empty = [](std::monostate) {};
    CHECK_THROWS_AS((chunk_invoker<decltype(empty), void, std::monostate>::invoke(call)),
                    serialization_error);
    reader reply{bytes};
    CHECK_THROWS_AS(decode_chunk_reply<int>(
                        reply, 10, [](auto) { return failure_info{}; }, [](auto...) {}),
                    serialization_error);
}

TEST_CASE("job: a job is a copyable handle to a stored call") {
    static int ran = 0;
    ran = 0;
    const job none;
    CHECK(!none);
    const job j{[](const std::string& s, int n) { ran += n * static_cast<int>(s.size()); }, "abc",
                2};
    CHECK(j);
    const job copy = j;
    copy();
    j();
    CHECK(ran == 12);

    sizer s;
    j.state()->size(s);
    std::vector<std::byte> bytes(s.size());
    writer w{bytes};
    j.state()->encode(w);
    reader in{bytes};
    fake_call call{in};
    j.state()->remote()(call);
    CHECK(ran == 18);
    CHECK(call.bytes.empty());
}

TEST_CASE("job: what only moves is made anew for each run") {
    static int sum = 0;
    sum = 0;
    const job j{[](std::unique_ptr<int> p, int n) { sum += std::exchange(*p, 0) + n; },
                std::make_unique<int>(5), 1};
    j();
    j();
    CHECK(sum == 12);
    const job in_function{coproc::bind_front(
        [](std::unique_ptr<int> p) { sum += std::exchange(*p, 0); }, std::make_unique<int>(5))};
    in_function();
    in_function();
    CHECK(sum == 22);
    const job throws{[](std::unique_ptr<int> p) { throw std::out_of_range{std::to_string(*p)}; },
                     std::make_unique<int>(5)};
    CHECK_THROWS_AS(throws(), std::out_of_range);
    CHECK(j.state()->repeatable());
}

TEST_CASE("job: what neither copies nor travels runs once") {
    class closed {
    public:
        explicit closed(int n) : n_{std::make_unique<int>(n)} {}
        int value() const { return *n_; }

    private:
        std::unique_ptr<int> n_;
    };
    int sum = 0;
    const job j = local_job([&sum](const closed& c) { sum += c.value(); }, closed{5});
    CHECK_FALSE(j.state()->repeatable());
    j();
    CHECK(sum == 5);
    CHECK_THROWS_AS(j(), std::logic_error);
    const job captures = local_job([n = std::make_unique<int>(5), &sum] { sum += *n; });
    CHECK_FALSE(captures.state()->repeatable());
    const job refers =
        local_job([&sum](std::reference_wrapper<const closed> c) { sum += c.get().value(); },
                  std::ref(std::as_const(*std::make_unique<closed>(1))));
    CHECK(refers.state()->repeatable());
}

TEST_CASE("job: containers of what only moves") {
    std::vector<std::unique_ptr<int>> owners;
    owners.push_back(std::make_unique<int>(5));
    static int sum = 0;
    sum = 0;
    const job owning{[](std::vector<std::unique_ptr<int>> v) { sum += *v.front(); },
                     std::move(owners)};
    owning();
    CHECK(sum == 5);
    owning();
    CHECK(sum == 10);
    const job bound{coproc::bind_front(
        [](const std::vector<std::unique_ptr<int>>& v) { sum += static_cast<int>(v.size()); },
        std::vector<std::unique_ptr<int>>(2))};
    bound();
    CHECK(sum == 12);
    const job often{[](const std::vector<std::string>& v) { sum += static_cast<int>(v.size()); },
                    std::vector<std::string>(1)};
    often();
    often();
    CHECK(sum == 14);
}

TEST_CASE("job: the result of a job may be anything") {
    job{[](int x) { return std::function<int()>{[x] { return x; }}; }, 3}();
}

TEST_CASE("job: a job for threads takes anything, and does not travel") {
    int n = 0;
    const job j = local_job([&n](int* p) { *p = ++n; }, &n);
    j();
    CHECK(n == 1);
    CHECK(j.state()->remote() == nullptr);
    sizer s;
    CHECK_THROWS_AS(j.state()->size(s), serialization_error);
}
