// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// shared_value, shared_array and shared_memory between processes: what a death does, who finds
// what. What they do at all is tested in tests/nouns.

#include "forked.hpp"
#include "pools.hpp"

#include <coproc/shared_array.hpp>
#include <coproc/shared_memory.hpp>
#include <coproc/shared_value.hpp>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <ranges>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <vector>

using namespace coproc_test;

namespace {

struct state {
    std::array<std::uint64_t, 40> all;
    bool operator==(const state&) const = default;
};

state of(std::uint64_t n) {
    state s;
    s.all.fill(n);
    return s;
}
bool is_one(const state& s) {
    return std::ranges::all_of(s.all, [&](auto n) { return n == s.all.front(); });
}

std::size_t files_in_shm() {
    std::error_code none;
    const std::filesystem::directory_iterator files{"/dev/shm", none};
    return none ? 0 : static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

std::string unique_name(const std::string& what) {
    return "test-" + std::to_string(::getpid()) + "-" + what;
}

template <class F>
int errno_of(F&& f) {
    try {
        f();
    } catch (const std::system_error& e) {
        return e.code().value();
    }
    return 0;
}

} // namespace

TEMPLATE_TEST_CASE("shared_value: all processes change one value", "", int, std::uint8_t, double,
                   long double, std::int64_t) {
    const coproc::shared_value<TestType> value;
    coproc::pool pool{2};
    pool.starmap(
        [](coproc::shared_value<TestType> v, int times) {
            for (int i = 0; i != times; ++i)
                v.fetch_add(TestType{1});
        },
        std::vector(4, std::tuple{value, 25}));
    CHECK(value.load() == TestType{100});
}

TEST_CASE("shared_value: a death leaves the old value or the new one", "[kill]") {
    const unsigned seed = 5;
    CAPTURE(seed);
    std::mt19937 random{seed};
    const coproc::shared_value<state> value{of(0)};
    std::uint64_t last = 0;
    for (int kills = 0; kills != 200; ++kills) {
        forked writer{[&] {
            for (std::uint64_t n = last + 1;; ++n) {
                value.store(of(n));
                static_cast<void>(value.exchange(of(n)));
                auto expected = of(n);
                value.compare_exchange_strong(expected, of(n + 1));
            }
        }};
        // It has to start first, which takes its time on a busy machine.
        REQUIRE(eventually([&] { return value.load().all.front() > last; }));
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 500});
        const state meanwhile = value.load();
        CHECK(is_one(meanwhile));
        writer.kill();
        const state now = value.load(); // no owner_died_error: nothing is half changed
        CHECK(is_one(now));
        CHECK(now.all.front() >= last);
        last = now.all.front();
    }
    CHECK(last > 0);
}

TEMPLATE_TEST_CASE("shared_value: a death under lock() is told once", "", int, state) {
    const coproc::shared_value<TestType> value{TestType{}};
    const in_common<std::atomic<bool>> locked;
    forked owner{[&] {
        const auto held = value.lock();
        locked->store(true);
        for (;;)
            ::pause();
    }};
    REQUIRE(eventually([&] { return locked->load(); }));
    const int form = GENERATE(0, 1, 2);
    CAPTURE(form);
    CHECK_FALSE(value.try_lock());
    CHECK_FALSE(value.try_lock_for(1ms));
    owner.kill();
    CHECK_THROWS_AS(form == 0   ? static_cast<void>(value.lock())
                    : form == 1 ? static_cast<void>(value.try_lock())
                                : static_cast<void>(value.try_lock_for(patience)),
                    coproc::owner_died_error);
    { const auto held = value.lock(); }
    CHECK(value.try_lock());
    value.store(TestType{});
}

TEST_CASE("shared_value, shared_array: a timed wait for the lock learns of its owner's death") {
    const coproc::shared_value<state> value{of(1)};
    const coproc::shared_array<int> array{3};
    const in_common<std::atomic<bool>> locked;
    forked owner{[&] {
        const auto held = value.lock();
        const auto elements = array.try_lock_for(patience);
        locked->store(elements.has_value());
        for (;;)
            ::pause();
    }};
    REQUIRE(eventually([&] { return locked->load(); }));
    CHECK_FALSE(array.try_lock());
    CHECK_FALSE(array.try_lock_for(1ms));
    // Another waits beside this one: one of the two is told, and then both can have it.
    std::atomic<int> told{0};
    const auto wait_for_both = [&] {
        for (int got = 0; got != 2;) {
            try {
                const bool held = got == 0 ? value.try_lock_for(patience).has_value()
                                           : array.try_lock_for(patience).has_value();
                if (!held) return false;
                ++got;
            } catch (const coproc::owner_died_error&) {
                ++told;
            }
        }
        return true;
    };
    bool other_got_both = false;
    std::thread other{[&] { other_got_both = wait_for_both(); }};
    std::thread killer{[&] { owner.kill(); }};
    CHECK(wait_for_both());
    other.join();
    killer.join();
    CHECK(other_got_both);
    CHECK(told == 2);
}

TEST_CASE("shared_value: whoever waits for the lock learns of its owner's death") {
    const coproc::shared_value<state> value{of(1)};
    const in_common<std::atomic<bool>> locked;
    forked owner{[&] {
        const auto held = value.lock();
        locked->store(true);
        for (;;)
            ::pause();
    }};
    REQUIRE(eventually([&] { return locked->load(); }));
    std::thread killer{[&] { owner.kill(); }};
    CHECK_THROWS_AS(value.load(), coproc::owner_died_error);
    killer.join();
    CHECK(value.load() == of(1));
}

TEST_CASE("shared_array: is where it is sent to, and survives its maker") {
    coproc::pool pool{1};
    auto made = pool.apply(
        [](std::size_t n) {
            coproc::shared_array<double> a{n};
            std::iota(a.begin(), a.end(), 0.0);
            return a;
        },
        std::size_t{100'000});
    pool.terminate();
    pool.join();
    CHECK(made.size() == 100'000);
    CHECK(made[99'999] == 99'999.0);

    const forked other{[&] { made[7] = 1e9; }};
    CHECK(eventually([&] { return made[7] == 1e9; }));
}

TEST_CASE("shared_array: a worker lets go of it when it does something else, or nothing") {
    coproc::pool pool{1};
    const auto worker = pool.apply(::getpid);
    const coproc::shared_array<int> array(1000, 7);
    const coproc::shared_array<int> other(1000, 8);
    const auto last = [](const coproc::shared_array<int>& a) { return a[999]; };
    const auto mapped = [&] {
        std::ifstream maps{"/proc/" + std::to_string(worker) + "/maps"};
        int found = 0;
        for (std::string line; std::getline(maps, line);)
            if (line.find("memfd:coproc (") != std::string::npos) ++found;
        return found;
    };
    const auto files = [&] {
        const std::filesystem::directory_iterator all{"/proc/" + std::to_string(worker) + "/fd"};
        return std::distance(begin(all), end(all));
    };
    REQUIRE(mapped() == 0);
    const auto before = files();
    for (int i = 0; i < 200; ++i) {
        REQUIRE(pool.apply(last, array) == 7);
        REQUIRE(pool.apply(last, array) == 7);
        REQUIRE(pool.apply(last, other) == 8);
    }
    CHECK(eventually([&] { return mapped() == 0; }));
    CHECK(files() == before);

    // While it runs something else there is nothing of it.
    signs seen;
    pool.apply(last, array);
    auto running = pool.apply_async(hold, seen.path("in"), seen.path("out"));
    REQUIRE(eventually([&] { return sees_sign(seen.path("in")); }));
    CHECK(mapped() == 0);
    raise_sign(seen.path("out"));
    running.get();

    // A map has it in its function, many times on its way.
    const auto sums =
        pool.map(coproc::bind_front(
                     [](const coproc::shared_array<int>& a, int i) { return a[0] + i; }, array),
                 std::vector<int>(5000, 1));
    CHECK(std::ranges::all_of(sums, [](int x) { return x == 8; }));
    // One that takes part in it does so no longer than its call.
    const auto locking = [](const coproc::shared_array<int>& a) { return a.lock()[0]; };
    for (int i = 0; i < 20; ++i)
        CHECK(pool.apply(locking, array) == 7);
    CHECK(eventually([&] { return mapped() == 0; }));
}

TEST_CASE("shared_array: a range like std::span, and empty ones") {
    using array = coproc::shared_array<int>;
    static_assert(std::ranges::contiguous_range<array> && std::ranges::sized_range<const array>);
    static_assert(std::same_as<coproc::travel_t<array>, array>);
    static_assert(coproc::sendable<array> && coproc::sendable<coproc::shared_value<int>>);
    coproc::pool pool{1};
    const auto size = [](array a) {
        const auto held = a.lock();
        return held.size() + a.span().size();
    };
    CHECK(pool.apply(size, array{}) == 0);
    CHECK(pool.apply(size, array{0}) == 0);
    CHECK(pool.apply(size, array{3}) == 6);
    CHECK(array({1, 2, 3})[2] == 3);
    CHECK_THROWS_AS(array{-1}, std::invalid_argument);
    CHECK_THROWS_AS(array{std::uint64_t{1} << 60}, std::length_error);
    CHECK_THROWS_AS(array{std::uint64_t{1} << 44}, std::length_error);
    CHECK_THROWS_AS(array{2}.at(2), std::out_of_range);
}

TEST_CASE("shared_array: atomics as elements") {
    const coproc::shared_array<std::atomic<int>> counts{10};
    coproc::pool pool{2};
    pool.starmap(
        [](coproc::shared_array<std::atomic<int>> c, int times) {
            for (int i = 0; i != times; ++i)
                for (auto& n : c)
                    n.fetch_add(1);
        },
        std::vector(4, std::tuple{counts, 1000}));
    for (const auto& n : counts)
        CHECK(n == 4000);
}

TEST_CASE("shared_memory: is found by its name, by any process") {
    const auto before = files_in_shm();
    const auto name = unique_name("found");
    const auto block = coproc::shared_memory::create(name, 5000);
    CHECK(block.size() == 5000);
    CHECK(block.name() == name);
    CHECK(errno_of([&] { static_cast<void>(coproc::shared_memory::create(name, 1)); }) == EEXIST);
    coproc::pool pool{1};
    const auto write = [](std::string n) {
        const auto b = coproc::shared_memory::open(n);
        std::memcpy(b.bytes().data(), "hello", 6);
        return b;
    };
    const auto same = pool.apply(write, name);
    CHECK(std::string{reinterpret_cast<const char*>(block.bytes().data())} == "hello");
    CHECK(same.bytes().data() == block.bytes().data()); // known here already
    const auto opened = coproc::shared_memory::open(name);
    CHECK(opened.bytes().data() == block.bytes().data());
    CHECK(files_in_shm() == before);
}

TEST_CASE("shared_memory: the name goes with its owner, and the bytes with the last handle") {
    const auto name = unique_name("owner");
    const auto known = [&] {
        return errno_of([&] { static_cast<void>(coproc::shared_memory::open(name)); }) != ENOENT;
    };
    CHECK_FALSE(known());
    coproc::shared_memory kept;
    {
        auto block = coproc::shared_memory::create(name, 10);
        const auto copy = block;
        block = {};
        CHECK(known());
        kept = coproc::shared_memory::open(name);
        CHECK(known());
    }
    CHECK_FALSE(known());
    kept.bytes()[0] = std::byte{1};
    const auto next = coproc::shared_memory::create(name, 10);
    CHECK(next.bytes()[0] == std::byte{0});
    next.unlink();
    next.unlink();
    CHECK_FALSE(known());
}

TEST_CASE("shared_memory: an owner that has no descriptor left answers when it has one again") {
    const auto name = unique_name("crowded");
    const auto block = coproc::shared_memory::create(name, 5000);
    coproc::pool pool{on("process", 1)};
    CHECK(pool.apply([](int x) { return x; }, 1) == 1);
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    const rlimit tight{0, usual.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    auto size =
        pool.apply_async([](std::string n) { return coproc::shared_memory::open(n).size(); }, name);
    const bool early = size.wait(300ms);
    ::setrlimit(RLIMIT_NOFILE, &usual);
    CHECK_FALSE(early);
    CHECK(size.get(patience) == 5000);
}

TEST_CASE("shared_memory: anyone who has a handle may take the name away") {
    const auto name = unique_name("unlink");
    const auto block = coproc::shared_memory::create(name, 10);
    coproc::pool pool{1};
    pool.apply([](coproc::shared_memory b) { b.unlink(); }, block);
    CHECK(errno_of([&] { static_cast<void>(coproc::shared_memory::open(name)); }) == ENOENT);
    const auto next = coproc::shared_memory::create(name, 20);
    pool.apply([](coproc::shared_memory b) { b.unlink(); }, block); // the old one
    CHECK(coproc::shared_memory::open(name).size() == 20);
}

TEST_CASE("shared_memory: the name is free at once when its owner is killed", "[kill]") {
    const auto before = files_in_shm();
    const auto name = unique_name("killed");
    for (int i = 0; i != 20; ++i) {
        const in_common<std::atomic<bool>> ready;
        forked owner{[&] {
            const auto block = coproc::shared_memory::create(name, 1'000'000);
            block.bytes()[9] = std::byte{7};
            ready->store(true);
            for (;;)
                ::pause();
        }};
        REQUIRE(eventually([&] { return ready->load(); }));
        const auto block = coproc::shared_memory::open(name);
        owner.kill();
        CHECK(errno_of([&] { static_cast<void>(coproc::shared_memory::open(name)); }) == ENOENT);
        CHECK(block.bytes()[9] == std::byte{7});
        const auto mine = coproc::shared_memory::create(name, 10);
    }
    CHECK(files_in_shm() == before);
}

TEST_CASE("shared_memory: a child of a fork is not the owner") {
    const auto name = unique_name("fork");
    auto block = coproc::shared_memory::create(name, 10);
    forked child{[&] {
        block = {};
        for (;;)
            ::pause();
    }};
    CHECK(coproc::shared_memory::open(name).size() == 10);
    block = {};
    CHECK(errno_of([&] { static_cast<void>(coproc::shared_memory::open(name)); }) == ENOENT);
}

TEST_CASE("shared_memory: what cannot be a name or a size") {
    using coproc::shared_memory;
    CHECK_THROWS_AS(shared_memory::create("", 1), std::invalid_argument);
    CHECK_THROWS_AS(shared_memory::create(std::string(81, 'x'), 1), std::invalid_argument);
    CHECK_THROWS_AS(shared_memory::open(std::string_view{"a\0b", 3}), std::invalid_argument);
    CHECK_THROWS_AS(shared_memory::create("none", 0), std::invalid_argument);
    CHECK_THROWS_AS(shared_memory::create("huge", std::size_t{1} << 46), std::length_error);
    const auto longest = std::string(60, 'x') + unique_name("");
    CHECK(shared_memory::create(longest, 1).name() == longest);
    CHECK(shared_memory{}.bytes().empty());
}
