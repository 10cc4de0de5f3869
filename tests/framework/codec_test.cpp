// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/codec.hpp>

#include "support/catch.hpp"

#include <bitset>
#include <chrono>
#include <complex>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <numeric>
#include <queue>
#include <random>
#include <set>
#include <stack>
#include <unordered_map>
#include <unordered_set>

using namespace coproc;
using detail::from_bytes;
using detail::to_bytes;

namespace {

template <class T>
T round_trip(const T& value) {
    const auto bytes = to_bytes(value);
    detail::reader r{bytes};
    T result = detail::decode<T>(r);
    CHECK(r.left() == 0);
    return result;
}

template <class T>
void comes_back(const T& value) {
    INFO("of type " << detail::type_name<T>());
    CHECK((round_trip(value) == value));
}

enum class colour : std::uint8_t { red, green };
enum flag : bool { off, on };

struct point {
    int x = 0;
    double y = 0;
    bool operator==(const point&) const = default;
};

/// A message of which more is there each time that somebody waits for more.
class trickle final : public detail::inflow {
public:
    trickle(std::span<const std::byte> all, std::size_t at_a_time, std::size_t end)
        : all_{all}, at_a_time_{at_a_time}, end_{end} {}

    detail::reader in() { return detail::reader{all_, nullptr, there_, *this}; }
    std::size_t wait_for(std::size_t least) override {
        ++waits;
        there_ = std::min(std::max(least, there_ + at_a_time_), all_.size());
        if (least > end_) throw serialization_error{"given up"};
        return there_;
    }

    int waits = 0;

private:
    std::span<const std::byte> all_;
    std::size_t at_a_time_;
    std::size_t end_;
    std::size_t there_ = 0;
};

struct packed_point {
    int x = 0;
    int y = 0;
    bool operator==(const packed_point&) const = default;
};

struct record {
    std::string name{};
    std::vector<double> values{};
    std::optional<point> where{};
    std::map<std::string, std::vector<int>> index{};
    colour tint = colour::red;
    bool operator==(const record&) const = default;
};

struct nothing {
    bool operator==(const nothing&) const = default;
};

struct owner {
    std::unique_ptr<std::string> text;
    std::vector<std::unique_ptr<int>> numbers;
};

struct node {
    int value = 0;
    std::vector<node> children{};
    bool operator==(const node&) const = default;
};

struct chain {
    std::unique_ptr<chain> next;
};

struct json;
using json_value = std::variant<std::nullptr_t, bool, double, std::string, std::vector<json>,
                                std::map<std::string, json>>;
struct json {
    json_value value;
    bool operator==(const json&) const = default;
};

class account {
public:
    account() = default;
    account(std::string holder, int balance) : holder_{std::move(holder)}, balance_{balance} {
        codes_[1] = balance;
    }
    auto members() { return std::tie(holder_, balance_, codes_); }
    bool operator==(const account&) const = default;

private:
    std::string holder_;
    int balance_ = 0;
    int codes_[3]{};
};

struct savings : account { // adds nothing, but who could tell
};

struct derived : packed_point {
    int z = 0;
    auto members() { return std::tie(x, y, z); }
    bool operator==(const derived&) const = default;
};

class metres { // no default constructor, no references: the state makes the object
public:
    explicit metres(double value) : value_{value} {}
    auto members() { return std::make_tuple(value_); }
    bool operator==(const metres&) const = default;

private:
    double value_;
};

struct with_base : point {
    int z = 0;
};
struct with_array {
    int n = 0;
    int values[4]{};
};
struct with_strings {
    std::string names[2];
};
struct with_reference {
    int& n;
};
struct with_pointer {
    int n = 0;
    const char* text = nullptr;
};
struct shape {
    virtual ~shape() = default;
};
struct by_length {
    bool reversed = false;
    bool operator()(const std::string& a, const std::string& b) const {
        return (a.size() < b.size()) != reversed;
    }
};
union either {
    int i;
    float f;
};

} // namespace

namespace legacy {

struct colour_map { // somebody else's type, described from outside
    std::vector<int> reds;
    explicit colour_map(int) {}
    colour_map() = default;
    bool operator==(const colour_map&) const = default;
};

auto coproc_members(colour_map& m) { return std::tie(m.reds); }

struct temperature { // a codec of its own
    double kelvin = 0;
    explicit temperature(double k) : kelvin{k} {}
    bool operator==(const temperature&) const = default;
};

} // namespace legacy

template <>
struct coproc::codec<legacy::temperature> {
    static void size(detail::sizer& s, const legacy::temperature&) { s.bytes(sizeof(double)); }
    static void encode(detail::writer& w, const legacy::temperature& t) { w.raw(t.kelvin); }
    static legacy::temperature decode(detail::reader& r) {
        return legacy::temperature{r.raw<double>()};
    }
};

// --- what can be sent ----------------------------------------------------------------------------

static_assert(sendable<int> && sendable<bool> && sendable<char8_t> && sendable<long double> &&
              sendable<colour>);
static_assert(sendable<record> && sendable<owner> && sendable<node> && sendable<chain> &&
              sendable<json>);
static_assert(sendable<account> && sendable<derived> && sendable<metres>);
static_assert(sendable<legacy::colour_map> && sendable<legacy::temperature> &&
              sendable<std::vector<legacy::temperature>>);
static_assert(sendable<int (*)(int)> && sendable<decltype([](int) {})> && sendable<int point::*> &&
              sendable<void (shape::*)()>);
static_assert(sendable<const int> && sendable<std::less<>>);

static_assert(!sendable<int*> && !sendable<const char*> && !sendable<void*> && !sendable<int&> &&
              !sendable<int[3]> && !sendable<void>);
static_assert(!sendable<std::vector<int*>> && !sendable<std::map<int, with_pointer>> &&
              !sendable<with_pointer>);
static_assert(!sendable<std::unique_ptr<int[]>> && !sendable<std::unique_ptr<shape>> &&
              !sendable<std::optional<shape*>>);
static_assert(!sendable<std::string_view> && !sendable<std::span<int>> &&
              !sendable<std::vector<std::string_view>>);
static_assert(!sendable<with_base> && !sendable<with_array> && !sendable<with_strings> &&
              !sendable<with_reference> && !sendable<savings>);
static_assert(!sendable<std::function<void()>> && !sendable<std::mutex> &&
              !sendable<std::weak_ptr<int>> && !sendable<either>);
static_assert(!sendable<std::set<std::string, by_length>> && !sendable<std::pair<int&, int>> &&
              !sendable<std::reference_wrapper<int>>);
static_assert(!sendable<decltype([n = 1](int) { return n; })>);

// --- travel types --------------------------------------------------------------------------------

template <class From, class To>
inline constexpr bool travels_as = std::is_same_v<travel_t<From>, To>;

static_assert(travels_as<const char (&)[6], std::string> && travels_as<const char*, std::string> &&
              travels_as<std::string_view&, std::string>);
static_assert(travels_as<const wchar_t*, std::wstring> &&
              travels_as<std::u8string_view, std::u8string>);
static_assert(travels_as<std::span<const int, 3>, std::vector<int>> &&
              travels_as<std::span<std::string_view>, std::vector<std::string>>);
static_assert(travels_as<std::vector<std::string_view>, std::vector<std::string>> &&
              travels_as<std::optional<const char*>, std::optional<std::string>>);
static_assert(travels_as<std::pair<int&, std::string_view>, std::pair<int, std::string>> &&
              travels_as<std::tuple<const char*, int&&>, std::tuple<std::string, int>>);
static_assert(travels_as<const std::vector<int>&, std::vector<int>> &&
              travels_as<record&&, record> && travels_as<int&, int>);
static_assert(travels_as<int (&)(int), int (*)(int)> &&
              travels_as<std::vector<bool>::reference, bool> &&
              travels_as<std::initializer_list<int>, std::vector<int>>);
static_assert(travels_as<int*, int*> && travels_as<std::vector<bool>, std::vector<bool>>);

TEST_CASE("codec: arithmetic types and enumerations come back") {
    comes_back(true);
    comes_back('x');
    comes_back(std::uint64_t{0} - 1);
    comes_back(std::int8_t{-7});
    comes_back(1.5F);
    comes_back(-0.25);
    comes_back(1.2345678901234567890L);
    comes_back(colour::green);
    comes_back(on);
    comes_back(std::byte{200});
    comes_back(U'\U0001F600');
    comes_back(nullptr);
    comes_back(static_cast<detail::int128>(-5) * 1'000'000'000'000'000'000);
}

TEST_CASE("codec: strings and containers come back") {
    comes_back(std::string{});
    comes_back(std::string(100'000, 'a') + std::string(3, '\0'));
    comes_back(std::u32string{U"wide"});
    comes_back(std::vector<int>{1, 2, 3});
    comes_back(std::vector<std::string>{"", "a", std::string(50, 'b')});
    comes_back(std::vector<point>{{1, 2.0}, {3, 4.0}});
    comes_back(std::vector<packed_point>{{1, 2}, {3, 4}});
    comes_back(std::vector<nothing>(5));
    comes_back(std::vector<std::vector<std::vector<int>>>{{{1}, {}}, {}, {{2, 3}}});
    comes_back(std::deque<std::string>{"x", "y"});
    comes_back(std::list<std::pair<int, std::string>>{{1, "one"}});
    comes_back(std::forward_list<int>{3, 2, 1});
    comes_back(std::array<std::string, 3>{"a", "", "c"});
    comes_back(std::array<int, 4>{1, 2, 3, 4});
    comes_back(std::array<int, 0>{});
    comes_back(std::array<std::array<bool, 2>, 2>{{{true, false}, {false, true}}});
    comes_back(std::set<std::string>{"b", "a"});
    comes_back(std::multiset<int>{1, 1, 2});
    comes_back(std::map<std::string, std::map<int, double>>{{"x", {{1, 2.0}}}, {"y", {}}});
    comes_back(std::multimap<int, std::string>{{1, "a"}, {1, "b"}, {0, "c"}});
    comes_back(std::unordered_map<std::string, int>{{"a", 1}, {"b", 2}});
    comes_back(std::unordered_set<int>{5, 6});
    comes_back(std::unordered_multimap<int, int>{{1, 1}, {1, 2}});
    comes_back(std::queue<std::string>{{"first", "second"}});
    comes_back(std::stack<int>{{1, 2, 3}});
    auto heap = std::priority_queue<int>{};
    for (const int x : {3, 9, 4})
        heap.push(x);
    CHECK(round_trip(heap).top() == 9);
}

TEST_CASE("codec: a vector of bools travels eight to the byte") {
    for (const std::size_t length : {0U, 1U, 7U, 8U, 9U, 1000U}) {
        std::vector<bool> bits(length);
        for (std::size_t i = 0; i < length; i += 3)
            bits[i] = true;
        comes_back(bits);
        CHECK(detail::encoded_size(bits) == 8 + (length + 7) / 8);
    }
}

TEST_CASE("codec: the vocabulary types come back") {
    using namespace std::chrono_literals;
    comes_back(std::optional<std::string>{"x"});
    comes_back(std::optional<int>{});
    comes_back(std::optional<std::optional<int>>{std::optional<int>{}});
    comes_back(std::variant<int, std::string, std::monostate>{"text"});
    comes_back(std::variant<int, int>{std::in_place_index<1>, 5});
    comes_back(std::tuple<>{});
    comes_back(std::tuple<int, std::string, point>{1, "a", {2, 3.0}});
    comes_back(std::pair<const int, std::string>{1, "a"});
    comes_back(std::chrono::nanoseconds{-5});
    comes_back(std::chrono::duration<double>{2.5});
    comes_back(std::chrono::system_clock::now());
    comes_back(std::chrono::steady_clock::now());
    comes_back(std::chrono::year{2026} / 2 / 28);
    comes_back(std::chrono::weekday{3});
    comes_back(std::filesystem::path{"/tmp/x/../y"});
    comes_back(std::complex<double>{1, -2});
    comes_back(std::bitset<70>{0x8000'0000'0000'0001U});
    CHECK(*round_trip(std::make_shared<const record>(record{.name = "shared"})) ==
          record{.name = "shared"});
    CHECK(round_trip(std::unique_ptr<int>{}) == nullptr);
}

TEST_CASE("codec: error codes keep the standard categories and the text of others") {
    comes_back(std::make_error_code(std::errc::no_such_file_or_directory));
    comes_back(std::error_code{5, std::system_category()});
    comes_back(std::make_error_condition(std::errc::timed_out));
    comes_back(std::error_code{});

    struct own_category final : std::error_category {
        const char* name() const noexcept override { return "engine"; }
        std::string message(int value) const override {
            return "engine is on fire, level " + std::to_string(value);
        }
    };
    static const own_category engine;
    const auto arrived = round_trip(std::error_code{3, engine});
    CHECK(arrived.value() == 3);
    CHECK(arrived.category().name() == std::string{"engine"});
    CHECK(arrived.message() == "engine is on fire, level 3");
    CHECK(arrived == round_trip(std::error_code{3, engine}));
    CHECK(arrived != round_trip(std::error_code{4, engine}));
}

TEST_CASE("codec: aggregates come back, local and move-only ones too") {
    comes_back(point{1, 2.5});
    comes_back(nothing{});
    comes_back(record{.name = "n",
                      .values = {1, 2, 3},
                      .where = point{1, 2},
                      .index = {{"a", {1, 2}}},
                      .tint = colour::green});
    struct local {
        std::string text;
        std::unique_ptr<int> number;
        const int constant = 1;
    };
    const auto l = round_trip(local{"t", std::make_unique<int>(4), 9});
    CHECK(l.text == "t");
    CHECK(*l.number == 4);
    CHECK(l.constant == 9);

    owner o{std::make_unique<std::string>("mine"), {}};
    o.numbers.push_back(std::make_unique<int>(5));
    o.numbers.push_back(nullptr);
    const auto back = round_trip(o);
    CHECK(*back.text == "mine");
    CHECK(*back.numbers.at(0) == 5);
    CHECK(back.numbers.at(1) == nullptr);
}

TEST_CASE("codec: recursive types come back") {
    comes_back(node{1, {{2, {}}, {3, {{4, {}}}}}});
    comes_back(json{std::map<std::string, json>{
        {"list", {std::vector<json>{{1.0}, {true}, {std::string{"x"}}}}}, {"none", {nullptr}}}});
}

TEST_CASE("codec: a value nested too deeply is refused on both sides") {
    chain first;
    for (int i = 0; i != 1500; ++i)
        first.next = std::make_unique<chain>(chain{std::move(first.next)});
    CHECK(round_trip(first).next != nullptr);
    for (int i = 0; i != 1500; ++i)
        first.next = std::make_unique<chain>(chain{std::move(first.next)});
    CHECK_THROWS_AS(to_bytes(first), serialization_error);
    const std::vector<std::byte> endless(1'000'000, std::byte{1});
    CHECK_THROWS_AS(from_bytes<chain>(endless), serialization_error);
    const std::vector<std::byte> zeros(1'000'000, std::byte{0});
    CHECK(from_bytes<chain>(zeros).next == nullptr);
}

TEST_CASE("codec: classes that name their state come back") {
    comes_back(account{"holder", 12});
    comes_back(std::map<std::string, account>{{"a", account{"x", 1}}});
    derived d;
    d.x = 1;
    d.z = 3;
    comes_back(d);
    comes_back(metres{4.5});
    comes_back(std::vector<metres>{metres{1}, metres{2}});
    legacy::colour_map m;
    m.reds = {1, 2};
    comes_back(m);
}

TEST_CASE("codec: a specialised codec is used, also inside other types") {
    comes_back(legacy::temperature{3});
    comes_back(std::vector<legacy::temperature>{legacy::temperature{1}, legacy::temperature{2}});
    comes_back(std::optional<legacy::temperature>{legacy::temperature{1}});
}

TEST_CASE("codec: functions come back as themselves") {
    const auto lambda = [](int x) { return x + 1; };
    CHECK(round_trip(lambda)(1) == 2);
    CHECK(round_trip(+lambda)(1) == 2);
    CHECK(round_trip(static_cast<int (*)()>(nullptr)) == nullptr);
    const auto reference_default = [&] { return 7; };
    CHECK(round_trip(reference_default)() == 7);
    auto get = &std::vector<int>::capacity;
    CHECK(round_trip(get) == get);
    CHECK(round_trip(&point::y) == &point::y);
}

TEST_CASE("codec: what only refers to something is turned into what owns it") {
    const std::vector<std::string_view> views{"a", "bc"};
    CHECK(detail::to_travel(views) == std::vector<std::string>{"a", "bc"});
    CHECK(detail::to_travel("literal") == "literal");
    const int numbers[] = {1, 2, 3};
    CHECK(detail::to_travel(std::span{numbers}) == std::vector<int>{1, 2, 3});
    CHECK(detail::to_travel(std::optional<std::string_view>{"x"}) ==
          std::optional<std::string>{"x"});
    CHECK(detail::to_travel(std::tuple<const char*, int>{"x", 1}) ==
          std::tuple<std::string, int>{"x", 1});
    auto moved = std::make_unique<int>(3);
    CHECK(*detail::to_travel(std::move(moved)) == 3);
    const char* null = nullptr;
    CHECK_THROWS_AS(detail::to_travel(null), serialization_error);
}

TEST_CASE("codec: padding does not travel") {
    STATIC_REQUIRE(detail::fixed_size<point> == sizeof(int) + sizeof(double));
    STATIC_REQUIRE(detail::is_bits<packed_point>);
    STATIC_REQUIRE(!detail::is_bits<point>);
    STATIC_REQUIRE(detail::is_bits<std::chrono::nanoseconds>);
}

TEST_CASE("codec: a value that grows between the passes is refused") {
    std::vector<int> v{1, 2};
    std::vector<std::byte> bytes(detail::encoded_size(v));
    v.push_back(3);
    detail::writer w{bytes};
    CHECK_THROWS_AS(detail::encode(w, v), serialization_error);
}

TEST_CASE("codec: data that is not aligned is read all the same") {
    const std::vector<double> values{1, 2, 3};
    const auto bytes = to_bytes(values);
    for (std::size_t shift = 0; shift != 8; ++shift) {
        std::vector<std::byte> shifted(shift);
        shifted.insert(shifted.end(), bytes.begin(), bytes.end());
        CHECK(from_bytes<std::vector<double>>(std::span{shifted}.subspan(shift)) == values);
    }
}

// --- damaged data --------------------------------------------------------------------------------

namespace {

template <class T>
void survives(std::span<const std::byte> bytes) {
    try {
        static_cast<void>(from_bytes<T>(bytes));
    } catch (const serialization_error&) {
        // the only way out
    }
}

template <class T>
void stands_damage(const T& value) {
    INFO("of type " << detail::type_name<T>());
    const auto good = to_bytes(value);
    for (std::size_t length = 0; length < good.size(); ++length) {
        const std::vector<std::byte> cut(
            good.begin(),
            good.begin() + static_cast<std::ptrdiff_t>(length)); // for ASan: exactly so long
        CHECK_THROWS_AS(from_bytes<T>(cut), serialization_error);
    }
    std::mt19937 random{12345};
    for (int i = 0; i != 3000; ++i) {
        auto bad = good;
        for (auto flips = 1 + random() % 4; flips != 0 && !bad.empty(); --flips)
            bad[random() % bad.size()] =
                static_cast<std::byte>(random() % 3 == 0 ? 0xff : random());
        survives<T>(bad);
    }
    for (int i = 0; i != 1000; ++i) {
        std::vector<std::byte> noise(random() % 200);
        for (auto& b : noise)
            b = static_cast<std::byte>(random() % 5 == 0 ? random() : random() % 4);
        survives<T>(noise);
    }
}

} // namespace

TEST_CASE("codec: damaged data is refused, whatever the type") {
    stands_damage(42);
    stands_damage(std::string{"hello"});
    stands_damage(std::vector<std::string>{"a", "bc", ""});
    stands_damage(std::vector<nothing>(4));
    stands_damage(std::vector<bool>(20, true));
    stands_damage(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
    stands_damage(std::unordered_map<int, std::string>{{1, "x"}, {2, "y"}});
    stands_damage(std::forward_list<std::string>{"a", "b"});
    stands_damage(std::variant<int, std::string, std::vector<point>>{std::vector<point>{{1, 2.0}}});
    stands_damage(
        record{.name = "n", .values = {1, 2}, .where = point{1, 2}, .index = {{"k", {3}}}});
    stands_damage(node{1, {{2, {}}, {3, {{4, {}}}}}});
    stands_damage(json{std::map<std::string, json>{{"list", {std::vector<json>{{1.0}, {true}}}}}});
    stands_damage(account{"h", 1});
    stands_damage(std::vector<legacy::temperature>{legacy::temperature{1}});
    stands_damage(std::filesystem::path{"/a/b"});
    stands_damage(std::tuple<bool, colour, std::optional<std::string>>{true, colour::red, "x"});
    stands_damage(std::make_error_code(std::errc::timed_out));
}

TEST_CASE("codec: a small message cannot ask for a large allocation") {
    struct heavy {
        std::optional<std::array<char, 4096>> block;
    };
    std::vector<std::byte> bytes(8 + 1'000'000);
    const std::uint64_t count =
        1'000'000; // empty optionals: one byte each, four kilobytes in memory
    std::memcpy(bytes.data(), &count, 8);
    bytes.resize(8 + 1000);
    CHECK_THROWS_AS(from_bytes<std::vector<heavy>>(bytes), serialization_error);
    for (const std::uint64_t huge :
         {~std::uint64_t{0}, std::uint64_t{1} << 61, std::uint64_t{1} << 40}) {
        std::vector<std::byte> message(16);
        std::memcpy(message.data(), &huge, 8);
        CHECK_THROWS_AS(from_bytes<std::string>(message), serialization_error);
        CHECK_THROWS_AS(from_bytes<std::vector<double>>(message), serialization_error);
        CHECK_THROWS_AS(from_bytes<std::vector<nothing>>(message), serialization_error);
        CHECK_THROWS_AS(from_bytes<std::vector<bool>>(message), serialization_error);
        CHECK_THROWS_AS((from_bytes<std::map<int, nothing>>(message)), serialization_error);
        CHECK_THROWS_AS(from_bytes<std::list<legacy::temperature>>(message), serialization_error);
    }
}

TEST_CASE("codec: a byte that is neither 0 nor 1 does not become a strange bool") {
    const std::vector<std::byte> bytes(1, std::byte{77});
    CHECK(from_bytes<bool>(bytes) == true);
    CHECK(from_bytes<flag>(bytes) == on);
}

TEST_CASE("codec: large values, wherever they begin in their message") {
    std::vector<double> numbers(700'001);
    std::iota(numbers.begin(), numbers.end(), 0.5);
    const std::string text(5'000'001, 'x');
    // After one byte nothing is aligned.
    const std::tuple<std::uint8_t, std::vector<double>> odd{7, numbers};
    CHECK(from_bytes<std::tuple<std::uint8_t, std::vector<double>>>(to_bytes(odd)) == odd);
    CHECK(from_bytes<std::vector<double>>(to_bytes(numbers)) == numbers);
    CHECK(from_bytes<std::string>(to_bytes(text)) == text);
}

TEST_CASE("codec: a message may be read while it comes in") {
    std::vector<double> numbers(300'001);
    std::iota(numbers.begin(), numbers.end(), 0.5);
    const std::tuple<std::uint8_t, std::vector<double>, std::string, std::vector<point>> value{
        7, numbers, std::string(2'000'001, 'x'), std::vector<point>(50'000, point{1, 2})};
    using type = std::remove_const_t<decltype(value)>;
    const auto bytes = to_bytes(value);
    for (const std::size_t at_a_time : {std::size_t{0}, std::size_t{1000}, std::size_t{262'144}}) {
        trickle flow{bytes, at_a_time, bytes.size()};
        detail::reader r = flow.in();
        CHECK(r.left() == bytes.size());
        CHECK(detail::decode<type>(r) == value);
        CHECK(r.left() == 0);
        CHECK(flow.waits > 1);
        CHECK_THROWS_AS(r.raw<std::uint8_t>(), serialization_error);
    }

    trickle ends{bytes, 1000, bytes.size() / 2};
    detail::reader half = ends.in();
    CHECK_THROWS_AS(detail::decode<type>(half), serialization_error);

    // What is still to come does not make a count credible.
    auto wrong = bytes;
    const std::uint64_t many = bytes.size();
    std::memcpy(wrong.data() + 1, &many, sizeof many);
    trickle lies{wrong, 1000, wrong.size()};
    detail::reader r = lies.in();
    CHECK_THROWS_AS(detail::decode<type>(r), serialization_error);
}
