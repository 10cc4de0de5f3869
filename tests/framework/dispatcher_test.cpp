// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/dispatcher.hpp>

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <coproc/error.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

using namespace coproc_test;
using namespace std::chrono_literals;
using coproc::detail::chunk;
using coproc::detail::chunk_outcome;
using coproc::detail::dispatcher;
using coproc::detail::dispatcher_limits;
using coproc::detail::effects;
using coproc::detail::failure_kind;
using coproc::detail::loss;
using coproc::detail::steady;
using coproc::detail::worker_index;

namespace {

/// A dispatcher with its effects and a clock that stands still.
struct office {
    explicit office(const dispatcher_limits& limits) : d{limits} {
        d.start(out);
        for (const auto index : std::exchange(out.start, {}))
            d.ready(index, now, out);
    }
    explicit office(worker_index workers, std::uint32_t prefetch = 0)
        : office{dispatcher_limits{.workers = workers, .prefetch = prefetch}} {}

    void submit(const fake_ptr& w) { d.submit(*w, now, out); }
    /// What has been handed out since the last look.
    std::vector<effects::assignment> handed_out() { return std::exchange(out.assign, {}); }
    chunk only() {
        auto all = handed_out();
        REQUIRE(all.size() == 1);
        return all.front().what;
    }
    bool done(worker_index w, const chunk& c, std::chrono::nanoseconds took = 1ms) {
        return d.done(w, c.id, {c.count, nullptr}, took, 0, now, out);
    }
    bool done(const effects::assignment& a, std::chrono::nanoseconds took = 1ms) {
        return done(a.worker, a.what, took);
    }
    /// The works that have ended since the last look.
    std::vector<detail::work_ptr> finished() { return std::exchange(out.finished, {}); }

    dispatcher d;
    effects out;
    steady::time_point now{1h};
};

bool is(const chunk& c, const fake_ptr& w, std::uint64_t first, std::uint32_t count,
        std::uint32_t attempt = 1) {
    return c.of.get() == w.get() && c.first == first && c.count == count && c.attempt == attempt;
}

/// Makes single calls known to take so long.
void teach(office& o, std::chrono::nanoseconds call_time) {
    for (int i = 0; i < 20; ++i) {
        o.submit(fake_call());
        const auto all = o.handed_out();
        REQUIRE(all.size() == 1);
        o.done(all.front(), call_time);
    }
    o.out.clear();
}

} // namespace

// --- handing out ----------------------------------------------------------------------------------

TEST_CASE("a dispatcher asks for all workers, and hands out once they are ready") {
    dispatcher d{{.workers = 3}};
    effects out;
    d.start(out);
    CHECK(out.start == std::vector<worker_index>{0, 1, 2});
    out.clear();
    const auto w = fake_call();
    d.submit(*w, {}, out);
    CHECK(out.empty());
    CHECK(d.stats().workers == 0);
    CHECK(d.stats().queued == 1);
    d.ready(1, {}, out);
    REQUIRE(out.assign.size() == 1);
    CHECK(out.assign[0].worker == 1);
    CHECK(is(out.assign[0].what, w, 0, 1));
    CHECK(w->worker_hint() == 1);
    CHECK(d.done(1, out.assign[0].what.id, {1, nullptr}, 1us, 0, {}, out));
    REQUIRE(out.finished.size() == 1);
    CHECK(out.finished[0].get() == w.get());
    CHECK(w->failures == 0);
}

TEST_CASE("a call that an idle worker takes at once has never been in the queue") {
    office o{1};
    const auto w = fake_call({.queue_timeout = 1s});
    o.submit(w);
    CHECK(is(o.only(), w, 0, 1));
    CHECK(o.d.stats().queued == 0);
    CHECK_FALSE(o.d.any_waiting());
    CHECK(o.d.next_deadline() == steady::time_point::max());
    o.d.expire(o.now + 2s, o.out);
    CHECK(w->failures == 0);
    const auto next = fake_call();
    o.submit(next);
    CHECK(o.handed_out().empty()); // there is no second worker
    CHECK(o.d.stats().queued == 1);
}

TEST_CASE("tasks are handed out in order, those of higher priority first") {
    office o{1};
    const auto a = fake_call();
    const auto b = fake_call();
    const auto c = fake_call({.priority = 1});
    const auto e = fake_call({.priority = -1});
    const auto f = fake_call({.priority = 1});
    for (const auto& w : {a, e, b, c, f})
        o.submit(w);
    for (const auto& expected : {a, c, f, b, e}) {
        const auto next = o.only();
        REQUIRE(is(next, expected, 0, 1));
        o.done(0, next);
    }
    CHECK(o.handed_out().empty());
    CHECK(o.finished().size() == 5);
}

TEST_CASE("the worker that became idle last is used first") {
    office o{3};
    for (int i = 0; i < 3; ++i)
        o.submit(fake_call());
    const auto all = o.handed_out();
    REQUIRE(all.size() == 3);
    o.done(all[0]);
    o.done(all[2]);
    o.done(all[1]);
    o.submit(fake_call());
    CHECK(o.handed_out().at(0).worker == all[1].worker);
}

TEST_CASE("chunks start small, grow to what takes a millisecond, and shrink towards the end") {
    office o{2};
    const auto m = fake_map(1'000'000);
    o.submit(m);
    auto running = o.handed_out();
    REQUIRE(running.size() == 2);
    CHECK(running[0].what.count == 1);
    std::uint64_t next = 2;
    std::uint32_t largest = 0;
    std::uint32_t last = 0;
    while (!running.empty()) {
        const auto now = running.front();
        running.erase(running.begin());
        o.done(now, 100ns * now.what.count);
        for (const auto& a : o.handed_out()) {
            REQUIRE(a.what.first == next); // nothing left out, nothing twice
            next += a.what.count;
            last = a.what.count;
            largest = std::max(largest, last);
            running.push_back(a);
        }
    }
    CHECK(next == 1'000'000);
    CHECK(largest == 10'000);
    CHECK(last <= 10);
    CHECK(o.finished().size() == 1);
    CHECK(o.d.stats().completed == 1'000'000);
}

TEST_CASE("a chunk that takes longer than thought makes the next one smaller at once") {
    office o{1};
    o.submit(fake_map(1'000'000));
    o.done(0, o.only(), 100ns);
    const auto large = o.only();
    REQUIRE(large.count == 10'000);
    o.done(0, large, 10s);
    CHECK(o.only().count == 1);
}

TEST_CASE("many short items are believed at once after a first one that took longer") {
    office o{1};
    o.submit(fake_map(1'000'000));
    o.done(0, o.only(), 2us);
    const auto some = o.only();
    CHECK(some.count == 500);
    o.done(0, some, 10ns * 500);
    CHECK(o.only().count > 50'000);
}

TEST_CASE("a chunk is not shorter than what is worth handing over") {
    office o{4};
    const auto m = fake_map(1'000);
    o.submit(m);
    auto running = o.handed_out();
    REQUIRE(running.size() == 4);
    o.done(running[0], 100ns);
    CHECK(o.only().count == 200); // an even share would be 125
    o.done(running[1], 1ms);
    CHECK(o.only().count == 1);
}

TEST_CASE("the last few items are for all workers, however short they seem") {
    office o{4};
    const auto m = fake_map(20);
    o.submit(m);
    auto running = o.handed_out();
    REQUIRE(running.size() == 4);
    for (const std::uint32_t count : {4U, 3U, 3U, 2U}) {
        o.done(running.front(), 10ns * running.front().what.count);
        running.erase(running.begin());
        CHECK(o.only().count == count);
    }
}

TEST_CASE("a given chunk size is kept") {
    office o{1};
    const auto m = fake_map(10, {.chunk_size = 4});
    o.submit(m);
    for (const auto& [first, count] : {std::pair{0U, 4U}, {4U, 4U}, {8U, 2U}}) {
        const auto c = o.only();
        REQUIRE(is(c, m, first, count));
        o.done(0, c);
    }
    CHECK(o.finished().size() == 1);
}

TEST_CASE("an empty map is done at once") {
    office o{1};
    o.submit(fake_map(0));
    CHECK(o.handed_out().empty());
    CHECK(o.finished().size() == 1);
}

// --- prefetch -------------------------------------------------------------------------------------

TEST_CASE("nothing waits at a busy worker without prefetch, or while its duration is unknown") {
    for (const std::uint32_t prefetch : {0U, 2U}) {
        office o{1, prefetch};
        for (int i = 0; i < 5; ++i)
            o.submit(fake_call());
        CHECK(o.handed_out().size() == 1);
    }
}

TEST_CASE("short tasks wait at busy workers, long ones do not") {
    office o{1, 2};
    teach(o, 10us);
    for (int i = 0; i < 9; ++i)
        o.submit(fake_call());
    const auto first = o.handed_out();
    CHECK(first.size() == 3); // one runs, two wait
    o.done(first[0], 10us);
    CHECK(o.handed_out().size() == 1);

    office slow{1, 2};
    teach(slow, 10ms);
    for (int i = 0; i < 9; ++i)
        slow.submit(fake_call());
    CHECK(slow.handed_out().size() == 1);

    office medium{1, 2};
    teach(medium, 1ms);
    for (int i = 0; i < 9; ++i)
        medium.submit(fake_call());
    medium.done(0, medium.only(), 1ms);     // a submit does not stack it
    CHECK(medium.handed_out().size() == 2); // but a worker that comes for more gets two
}

TEST_CASE("nothing waits at a busy worker while another is idle, or if it must start in time") {
    office o{2, 1};
    teach(o, 10us);
    o.submit(fake_call());
    o.submit(fake_call());
    const auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    CHECK(all[0].worker != all[1].worker);
    o.submit(fake_call({.queue_timeout = 1s}));
    CHECK(o.handed_out().empty());
}

TEST_CASE("what waits at a busy worker is taken back for an idle one") {
    office o{2, 1};
    teach(o, 100us);
    for (int i = 0; i < 4; ++i)
        o.submit(fake_call());
    const auto all = o.handed_out();
    REQUIRE(all.size() == 4);
    const auto of = [&](worker_index w) {
        std::vector<chunk> mine;
        for (const auto& a : all)
            if (a.worker == w) mine.push_back(a.what);
        return mine;
    };
    REQUIRE(of(0).size() == 2);
    o.done(1, of(1)[0], 100us);
    o.done(1, of(1)[1], 100us);
    REQUIRE(o.out.recall.size() == 1);
    CHECK(o.out.recall[0].worker == 0);
    CHECK(o.out.recall[0].chunk_id == of(0)[1].id);
    o.d.returned(0, of(0)[1].id, o.now, o.out);
    const auto again = o.handed_out();
    REQUIRE(again.size() == 1);
    CHECK(again[0].worker == 1);
    CHECK(again[0].what.of == of(0)[1].of);
    CHECK(again[0].what.id != of(0)[1].id);
    // It has been given away: the worker's word on it does not count.
    CHECK_FALSE(o.done(0, of(0)[1]));
    CHECK(o.done(again[0]));
    CHECK(o.done(0, of(0)[0]));
    CHECK(o.finished().size() == 4);
}

TEST_CASE("a little that waits at a busy worker is taken back only after a moment") {
    office o{2, 1};
    teach(o, 10us);
    for (int i = 0; i < 4; ++i)
        o.submit(fake_call());
    const auto all = o.handed_out();
    REQUIRE(all.size() == 4);
    for (const auto& a : all)
        if (a.worker == 1) o.done(a, 10us);
    CHECK(o.out.recall.empty());
    const auto check = o.d.next_deadline();
    CHECK(check > o.now);
    CHECK(check <= o.now + 10ms);
    o.d.expire(check, o.out);
    CHECK(o.out.recall.size() == 1);
}

TEST_CASE("what waits behind a call that takes long is not forgotten while others come and go") {
    office o{2, 3};
    teach(o, 1us);
    for (int i = 0; i < 6; ++i)
        o.submit(fake_call());
    for (const auto& a : o.handed_out())
        if (a.worker == 1) o.done(a, 1us);
    // Worker 0 is at its first call for long, worker 1 has something to do time and again.
    bool taken_back = false;
    for (int i = 0; i < 50 && !taken_back; ++i) {
        o.now += 100us;
        o.d.expire(o.now, o.out);
        taken_back = !o.out.recall.empty();
        o.submit(fake_call());
        for (const auto& a : o.handed_out())
            o.done(a, 1us);
    }
    CHECK(taken_back);
}

// --- tiny calls and workers that sleep ------------------------------------------------------------

namespace {

/// Where tiny calls have been met before, and who sleeps is told.
struct sleepy_office : office {
    explicit sleepy_office(unsigned cpus, worker_index workers = 4)
        : office{{.workers = workers,
                  .prefetch = 30,
                  .asleep = [this](worker_index w) { return std::ranges::count(awake, w) == 0; },
                  .cpus = cpus}} {
        teach(*this, 100ns);
    }

    std::size_t handed_to(worker_index w, const std::vector<effects::assignment>& all) {
        return static_cast<std::size_t>(std::ranges::count(all, w, &effects::assignment::worker));
    }

    std::vector<worker_index> awake;
};

} // namespace

TEST_CASE("a tiny call is stacked on a busy worker before a sleeping one is woken for it") {
    sleepy_office o{4};
    o.submit(fake_call());
    const auto busy = o.handed_out().at(0).worker;
    o.submit(fake_call());
    o.submit(fake_call());
    auto all = o.handed_out();
    CHECK(all.size() == 2);
    CHECK(o.handed_to(busy, all) == 2);

    // Not before one that is awake, ...
    o.awake = {0, 1, 2, 3};
    o.submit(fake_call());
    const auto other = o.handed_out().at(0).worker;
    CHECK(other != busy);
    // ... nor if it would wait there for longer than the other one takes to wake up.
    o.awake.clear();
    for (int i = 0; i < 60; ++i)
        o.submit(fake_call());
    all = o.handed_out();
    CHECK(all.size() == 60);
    CHECK(o.handed_to(busy, all) < 20);
    CHECK(o.handed_to(other, all) < 20);
    CHECK(o.d.stats().idle == 0);
}

TEST_CASE("no more workers are woken for tiny calls than two for each CPU") {
    sleepy_office o{1};
    for (int i = 0; i < 31; ++i)
        o.submit(fake_call());
    auto all = o.handed_out();
    CHECK(all.size() == 31); // one that runs and thirty that wait
    CHECK(o.d.stats().idle == 3);
    for (int i = 0; i < 69; ++i)
        o.submit(fake_call());
    for (auto& a : o.handed_out())
        all.push_back(std::move(a));
    CHECK(all.size() == 62);
    CHECK(o.d.stats().idle == 2);
    CHECK(o.d.plain_waits());
    o.awake = {0, 1, 2, 3}; // nor is one that is awake by chance
    o.submit(fake_call());
    CHECK(o.handed_out().empty());
    // Those that are at work get all of it, one after the other.
    std::size_t done = 0;
    while (!all.empty()) {
        for (const auto& a : all)
            done += o.done(a, 100ns) ? 1 : 0;
        all = o.handed_out();
    }
    CHECK(done == 101);
    CHECK(o.d.stats().idle == 4);
}

TEST_CASE("workers that were woken for longer calls come to rest when tiny ones follow") {
    sleepy_office o{1, 8};
    teach(o, 10us);
    for (int i = 0; i < 1000; ++i)
        o.submit(fake_call());
    auto all = o.handed_out();
    CHECK(o.d.stats().idle == 0);
    std::size_t done = 0;
    while (!all.empty()) {
        for (const auto& a : std::exchange(all, {})) {
            done += o.done(a, 100ns) ? 1 : 0;
            for (auto& next : o.handed_out())
                all.push_back(std::move(next));
        }
        if (done >= 600 && done < 900) CHECK(o.d.stats().idle == 6);
    }
    CHECK(done == 1000);
}

TEST_CASE("what surrounds a tiny call now and then wakes nobody") {
    sleepy_office o{1};
    const auto calls = [&](int n, std::chrono::nanoseconds took) {
        for (int i = 0; i < n; ++i) {
            o.submit(fake_call());
            o.done(o.handed_out().at(0), took);
        }
    };
    const auto woken_by_two = [&] {
        o.submit(fake_call());
        o.submit(fake_call());
        const auto all = o.handed_out();
        REQUIRE(all.size() == 2);
        for (const auto& a : all)
            o.done(a, 100ns);
        return all[0].worker == all[1].worker ? 1 : 2;
    };
    calls(1000, 100ns);
    SECTION("a worker that lost its CPU") {
        calls(1, 4ms);
        CHECK(woken_by_two() == 1);
        calls(1000, 100ns);
        calls(1, 4ms);
        CHECK(woken_by_two() == 1);
        // It is meant when another one follows soon, and then for a while.
        calls(100, 100ns);
        calls(1, 4ms);
        CHECK(woken_by_two() == 2);
        calls(800, 100ns);
        CHECK(woken_by_two() == 2);
        calls(200, 100ns);
        CHECK(woken_by_two() == 1);
    }
    SECTION("what the first call of a worker has to load") {
        calls(1, 4ms); // nothing else is overlooked now
        const auto [took, then_woken] = GENERATE(std::pair<std::chrono::nanoseconds, int>{900us, 1},
                                                 std::pair<std::chrono::nanoseconds, int>{4ms, 2});
        for (int i = 0; i < 32; ++i)
            o.submit(fake_call());
        const auto all = o.handed_out();
        REQUIRE(all.front().worker != all.back().worker);
        for (const auto& a : all)
            o.done(a, &a == &all.back() ? took : 100ns);
        CHECK(woken_by_two() == then_woken);
    }
    SECTION("cold caches") {
        calls(1, 20us);
        CHECK(woken_by_two() == 1);
        calls(20, 20us);
        CHECK(woken_by_two() == 2);
    }
}

TEST_CASE("sleeping workers are woken for everything else") {
    sleepy_office o{1};
    o.submit(fake_call());
    const auto busy = o.handed_out().at(0).worker;
    SECTION("a call with a timeout") { o.submit(fake_call({.timeout = 1s})); }
    SECTION("a call that must start in time") { o.submit(fake_call({.queue_timeout = 1s})); }
    SECTION("a call of another priority") { o.submit(fake_call({.priority = 1})); }
    SECTION("an item of a map") { o.submit(fake_map(1)); }
    const auto all = o.handed_out();
    REQUIRE(all.size() == 1);
    CHECK(all[0].worker != busy);
}

TEST_CASE("sleeping workers are woken where those at work may be replaced at any time") {
    office o{
        {.workers = 2, .max_tasks_per_worker = 100, .prefetch = 30, .asleep = [](worker_index) {
             return true;
         }}};
    teach(o, 100ns);
    o.submit(fake_call());
    o.submit(fake_call());
    const auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    CHECK(all[0].worker != all[1].worker);
}

TEST_CASE("calls that turn out to be long hold up nothing that was held back") {
    sleepy_office o{1};
    for (int i = 0; i < 80; ++i)
        o.submit(fake_call());
    const auto first = o.handed_out();
    REQUIRE(first.size() == 62);
    const auto first_of = [&](worker_index w) {
        return *std::ranges::find(first, w, &effects::assignment::worker);
    };
    const std::array long_ones{first_of(first.front().worker), first_of(first.back().worker)};
    REQUIRE(long_ones[0].worker != long_ones[1].worker);
    // What waits behind them comes back, and is not put there again.
    const auto is_long = [&](worker_index w) {
        return w == long_ones[0].worker || w == long_ones[1].worker;
    };
    const auto began = o.now;
    std::size_t done = 0;
    while (done < 78 && o.now < began + 20ms) {
        o.now = o.d.next_deadline();
        o.d.expire(o.now, o.out);
        for (const auto& r : std::exchange(o.out.recall, {})) {
            CHECK(is_long(r.worker));
            o.d.returned(r.worker, r.chunk_id, o.now, o.out);
        }
        for (auto all = o.handed_out(); !all.empty(); all = o.handed_out())
            for (const auto& a : all) {
                CHECK_FALSE(is_long(a.worker));
                done += o.done(a, 100ns) ? 1 : 0;
            }
    }
    CHECK(done == 78);
    for (const auto& each : long_ones)
        CHECK(o.done(each, 1s));
    CHECK(o.d.next_deadline() >= o.now);
    o.now += 1s;
    o.d.expire(o.now, o.out);
    CHECK(o.d.next_deadline() == steady::time_point::max()); // nothing more to look after
}

TEST_CASE("a call that turns out to be long holds up nothing while the others never rest") {
    office o{2, 10};
    teach(o, 10us);
    for (int i = 0; i < 30; ++i)
        o.submit(fake_call());
    auto all = o.handed_out();
    CHECK(all.size() == 22);
    const auto takes_long = all[0].worker;
    const auto is_there = [&](const auto& each) { return each.worker == takes_long; };
    // The other one goes on, and more comes as fast as it is done.
    std::vector<effects::target> recalled;
    for (int step = 0; step < 1000 && recalled.empty(); ++step) {
        const auto at = std::ranges::find_if_not(all, is_there);
        REQUIRE(at != all.end());
        const auto next = *at;
        all.erase(at);
        o.now += 100us;
        o.done(next, 10us);
        o.submit(fake_call());
        CHECK_FALSE(o.d.any_idle());
        for (auto& a : o.handed_out())
            all.push_back(std::move(a));
        if (o.d.next_deadline() <= o.now) o.d.expire(o.now, o.out);
        recalled = std::exchange(o.out.recall, {});
    }
    CHECK(recalled.size() == 10);
    for (const auto& r : recalled) {
        CHECK(r.worker == takes_long);
        o.d.returned(r.worker, r.chunk_id, o.now, o.out);
        std::erase_if(all, [&](const auto& a) { return a.what.id == r.chunk_id; });
    }
    // They come first, at the other one.
    const auto works = o.handed_out();
    CHECK(std::ranges::none_of(works, is_there));
    CHECK(std::ranges::count_if(all, is_there) == 1);
}

TEST_CASE("whether a plain call may be held back can be told") {
    sleepy_office o{1};
    CHECK_FALSE(o.d.may_hold_back()); // nobody is at work
    o.submit(fake_call());
    const auto all = o.handed_out();
    CHECK(o.d.may_hold_back());
    o.done(all[0], 100ns);
    CHECK_FALSE(o.d.may_hold_back());
    office without{2, 30};
    without.submit(fake_call());
    CHECK_FALSE(without.d.may_hold_back());
}

TEST_CASE("a task of higher priority does not wait behind what has not started") {
    office o{1, 1};
    teach(o, 10us);
    const auto runs = fake_call();
    const auto waits = fake_call();
    const auto urgent = fake_call({.priority = 1});
    o.submit(runs);
    o.submit(waits);
    const auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    o.submit(urgent);
    REQUIRE(o.out.recall.size() == 1);
    CHECK(o.out.recall[0].chunk_id == all[1].what.id);
    o.d.returned(0, all[1].what.id, o.now, o.out);
    CHECK(is(o.only(), urgent, 0, 1));
    o.done(all[0], 10us);
    CHECK(is(o.only(), waits, 0, 1));
}

// --- failures -------------------------------------------------------------------------------------

TEST_CASE("an exception fails its item, and a map with the lowest one") {
    office o{2};
    const auto m = fake_map(100, {.chunk_size = 10});
    o.submit(m);
    const auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    o.d.done(all[1].worker, all[1].what.id, {3, error_of("thirteen")}, 1ms, 0, o.now, o.out);
    CHECK(o.handed_out().empty()); // what lies behind is dropped
    CHECK(o.finished().empty());   // what lies before may still fail
    o.d.done(all[0].worker, all[0].what.id, {7, error_of("seven")}, 1ms, 0, o.now, o.out);
    CHECK(o.finished().size() == 1);
    CHECK(m->failed_at == 7);
    CHECK(text_of(m->failure) == "seven");
    CHECK(o.d.stats().failed == 2);
    CHECK(o.d.stats().completed == 10);
}

TEST_CASE("a chunk that ended early is continued") {
    office o{1};
    const auto m = fake_map(10, {.chunk_size = 10});
    o.submit(m);
    const auto c = o.only();
    o.d.done(0, c.id, {4, nullptr}, 1ms, 0, o.now, o.out);
    CHECK(is(o.only(), m, 4, 6));
}

TEST_CASE("a lost worker fails just the item it was in") {
    office o{2};
    const auto m = fake_map(8, {.chunk_size = 8});
    const auto other = fake_call();
    o.submit(m);
    const auto c = o.only();
    o.submit(other);
    const auto unharmed = o.handed_out().at(0);
    const auto worker = static_cast<worker_index>(m->worker_hint());
    o.d.lost(worker, {.chunk_id = c.id, .item = 3, .error = error_of("killed")}, o.now, o.out);
    CHECK(o.out.start == std::vector<worker_index>{worker});
    CHECK(m->failed_at == 3);
    CHECK(o.done(unharmed));
    // Those before it might fail as well, and then theirs would be the error that counts.
    const auto rest = o.only();
    CHECK(is(rest, m, 0, 3));
    CHECK(o.done(unharmed.worker, rest));
    CHECK(o.finished().size() == 2);
    CHECK(o.d.stats().workers_lost == 1);
    CHECK(o.d.stats().workers == 1);
    o.d.ready(worker, o.now, o.out);
    CHECK(o.d.stats().workers == 2);
    CHECK(o.d.stats().workers_started == 3);
}

TEST_CASE("values that were there already when a worker was lost are kept") {
    office o{1};
    const auto m = fake_map(8, {.chunk_size = 8});
    o.submit(m);
    const auto c = o.only();
    o.d.lost(0,
             {.chunk_id = c.id,
              .item = 3,
              .done = 3,
              .error = error_of("late"),
              .kind = failure_kind::timed_out,
              .may_retry = false},
             o.now, o.out);
    CHECK(o.finished().size() == 1);
    CHECK(m->failed_at == 3);
    CHECK(o.d.stats().completed == 3);
    CHECK(o.d.stats().timed_out == 1);
}

TEST_CASE("a lost worker's item is tried again as often as asked, the others uncounted") {
    office o{1};
    const auto m = fake_map(4, {.retries = 2, .chunk_size = 4});
    o.submit(m);
    auto c = o.only();
    const auto lose = [&](std::uint32_t item) {
        o.d.lost(0, {.chunk_id = c.id, .item = item, .error = error_of("lost")}, o.now, o.out);
        o.out.start.clear();
        o.d.ready(0, o.now, o.out);
        c = o.only();
    };
    lose(1);
    CHECK(is(c, m, 0, 1)); // the order is kept
    o.done(0, c);
    c = o.only();
    CHECK(is(c, m, 1, 1, 2));
    lose(0);
    CHECK(is(c, m, 1, 1, 3));
    CHECK(m->failures == 0);
    o.done(0, c);
    c = o.only();
    CHECK(is(c, m, 2, 2));
    lose(0);
    CHECK(is(c, m, 2, 1, 2));
    CHECK(o.d.stats().retried == 3);
    o.done(0, c);
    o.done(0, o.only());
    CHECK(o.finished().size() == 1);
    CHECK(m->failures == 0);

    const auto call = fake_call({.retries = 1});
    o.submit(call);
    c = o.only();
    lose(0);
    CHECK(c.attempt == 2);
    o.d.lost(0, {.chunk_id = c.id, .error = error_of("lost again")}, o.now, o.out);
    CHECK(text_of(call->failure) == "lost again");
    CHECK(o.finished().size() == 1);
}

TEST_CASE("what a lost worker had not started goes back in its order, uncounted") {
    office o{1, 2};
    teach(o, 10us);
    std::vector<fake_ptr> works;
    for (int i = 0; i < 4; ++i) {
        works.push_back(fake_call());
        o.submit(works.back());
    }
    const auto before = o.handed_out();
    REQUIRE(before.size() == 3);
    o.d.lost(0, {.chunk_id = before[0].what.id, .error = error_of("lost")}, o.now, o.out);
    CHECK(works[0]->failures == 1);
    o.d.ready(0, o.now, o.out);
    const auto after = o.handed_out();
    REQUIRE(after.size() == 3);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(is(after[i].what, works[i + 1], 0, 1, 1));
    for (const auto& a : after)
        CHECK(o.done(a, 10us));
    CHECK(o.finished().size() == 4);
}

TEST_CASE("a worker that was stopped for another reason is nobody's fault") {
    office o{1};
    const auto w = fake_call();
    o.submit(w);
    const auto c = o.only();
    o.d.lost(0, {.chunk_id = c.id, .deliberate = true, .error = error_of("no")}, o.now, o.out);
    o.d.ready(0, o.now, o.out);
    CHECK(is(o.only(), w, 0, 1, 1));
    CHECK(w->failures == 0);
}

TEST_CASE("a chunk that could not be handed over fails its item, the rest goes on") {
    office o{1};
    const auto m = fake_map(6, {.chunk_size = 6});
    o.submit(m);
    const auto c = o.only();
    o.d.refused(0, c.id, 2, error_of("too large"), o.now, o.out);
    CHECK(m->failed_at == 2);
    const auto rest = o.only();
    CHECK(is(rest, m, 0, 2));
    o.done(0, rest);
    CHECK(o.finished().size() == 1);
    const auto call = fake_call();
    o.submit(call);
    o.d.refused(0, o.only().id, 0, error_of("too large"), o.now, o.out);
    CHECK(o.finished().size() == 1);
    CHECK(o.d.stats().idle == 1);
}

// --- cancel ---------------------------------------------------------------------------------------

TEST_CASE("what comes back from a chunk that could not be handed over is for all who are idle") {
    office o{2};
    const auto m = fake_map(20, {.chunk_size = 10});
    o.submit(m);
    const auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    o.done(all[0]);
    CHECK(o.d.any_idle());
    o.d.refused(all[1].worker, all[1].what.id, 9, error_of("cannot be sent"), o.now, o.out);
    const auto again = o.handed_out();
    REQUIRE_FALSE(again.empty());
    CHECK(again[0].worker == all[0].worker);
}

TEST_CASE("cancel drops what is queued") {
    office o{1};
    const auto runs = fake_call();
    const auto waits = fake_call();
    o.submit(runs);
    o.submit(waits);
    const auto c = o.only();
    CHECK(o.d.cancel(*waits, error_of("cancelled"), failure_kind::cancelled, o.out));
    CHECK(o.out.stop.empty());
    REQUIRE(o.finished().size() == 1);
    CHECK(text_of(waits->failure) == "cancelled");
    CHECK_FALSE(o.d.cancel(*waits, error_of("again"), failure_kind::cancelled, o.out));
    o.done(0, c);
    CHECK(o.handed_out().empty());
    CHECK_FALSE(o.d.cancel(*runs, error_of("late"), failure_kind::cancelled, o.out));
    CHECK(o.d.stats().cancelled == 1);
}

TEST_CASE("cancel makes a ghost of what runs, whose outcome does not count") {
    office o{1};
    const auto w = fake_call({.timeout = 5s});
    const auto next = fake_call();
    o.submit(w);
    o.submit(next);
    const auto c = o.only();
    CHECK(o.d.in_flight(0, c.id));
    CHECK(o.d.cancel(*w, error_of("cancelled"), failure_kind::cancelled, o.out));
    REQUIRE(o.out.stop.size() == 1);
    CHECK(o.out.stop[0].worker == 0);
    CHECK(o.out.stop[0].chunk_id == c.id);
    CHECK(o.finished().size() == 1);
    CHECK_FALSE(o.d.in_flight(0, c.id));
    CHECK(o.d.running(0) == nullptr);
    CHECK(o.d.next_deadline() == steady::time_point::max());
    CHECK(o.handed_out().empty()); // the worker is still busy with it
    CHECK_FALSE(o.done(0, c));
    CHECK(is(o.only(), next, 0, 1));
    CHECK(w->failures == 1);
    CHECK(o.d.stats().completed == 0);
}

TEST_CASE("the worker of a ghost may be stopped, or its chunk taken back") {
    office o{1};
    const auto w = fake_call();
    const auto next = fake_call();
    o.submit(w);
    o.submit(next);
    const auto c = o.only();
    o.d.cancel(*w, error_of("cancelled"), failure_kind::cancelled, o.out);
    SECTION("stopped") {
        o.d.lost(0, {.chunk_id = c.id, .error = error_of("lost")}, o.now, o.out);
        CHECK(o.out.start.size() == 1);
        o.d.ready(0, o.now, o.out);
    }
    SECTION("taken back") { o.d.returned(0, c.id, o.now, o.out); }
    CHECK(is(o.only(), next, 0, 1));
    CHECK(w->failures == 1);
    CHECK(o.d.stats().failed == 0);
}

TEST_CASE("cancel reaches all chunks of a map, in flight and not") {
    office o{3};
    const auto m = fake_map(100, {.chunk_size = 5});
    o.submit(m);
    const auto all = o.handed_out();
    REQUIRE(all.size() == 3);
    CHECK(o.d.cancel(*m, error_of("cancelled"), failure_kind::cancelled, o.out));
    CHECK(o.out.stop.size() == 3);
    CHECK(o.finished().size() == 1);
    CHECK(m->failed_at == 0);
    for (const auto& a : all)
        CHECK_FALSE(o.done(a));
    CHECK(o.handed_out().empty());
    CHECK(o.d.stats().idle == 3);
    CHECK(o.d.stats().queued == 0);
}

TEST_CASE("cancel of what waits at a busy worker leaves the others there") {
    office o{1, 2};
    teach(o, 10us);
    const auto a = fake_call();
    const auto b = fake_call();
    const auto c = fake_call();
    for (const auto& w : {a, b, c})
        o.submit(w);
    const auto all = o.handed_out();
    REQUIRE(all.size() == 3);
    o.d.cancel(*b, error_of("cancelled"), failure_kind::cancelled, o.out);
    REQUIRE(o.out.stop.size() == 1);
    CHECK(o.out.stop[0].chunk_id == all[1].what.id);
    o.d.returned(0, all[1].what.id, o.now, o.out);
    CHECK(o.done(all[0], 10us));
    CHECK(o.done(all[2], 10us));
    CHECK(o.finished().size() == 3);
    CHECK(o.d.stats().idle == 1);
}

// --- time -----------------------------------------------------------------------------------------

TEST_CASE("a running task is overdue at its timeout, counted from when it began") {
    office o{1};
    const auto w = fake_call({.timeout = 100ms});
    o.submit(w);
    const auto c = o.only();
    CHECK(o.d.next_deadline() == o.now + 100ms);
    CHECK_FALSE(o.d.overdue(o.now + 99ms));
    o.now += 100ms;
    const auto target = o.d.overdue(o.now);
    REQUIRE(target);
    CHECK(target->worker == 0);
    CHECK(target->chunk_id == c.id);
    // It has not even begun: another 100 ms.
    CHECK_FALSE(o.d.check_overdue(0, {}, o.now));
    CHECK(o.d.next_deadline() == o.now + 100ms);
    o.now += 100ms;
    REQUIRE(o.d.overdue(o.now));
    // It began 40 ms ago.
    CHECK_FALSE(o.d.check_overdue(0, o.now - 40ms, o.now));
    CHECK(o.d.next_deadline() == o.now + 60ms);
    o.now += 60ms;
    CHECK(o.d.check_overdue(0, o.now - 100ms, o.now));
    o.d.lost(0,
             {.chunk_id = c.id,
              .error = error_of("timeout"),
              .kind = failure_kind::timed_out,
              .may_retry = false},
             o.now, o.out);
    CHECK(o.finished().size() == 1);
    CHECK(o.d.stats().timed_out == 1);
    CHECK(o.d.stats().failed == 0);
    CHECK(o.d.next_deadline() == steady::time_point::max());
}

TEST_CASE("a task that ends in time is not overdue") {
    office o{2};
    o.submit(fake_call({.timeout = 100ms}));
    o.submit(fake_call({.timeout = 50ms}));
    const auto all = o.handed_out();
    CHECK(o.d.next_deadline() == o.now + 50ms);
    o.done(all[1]);
    CHECK(o.d.next_deadline() == o.now + 100ms);
    o.done(all[0]);
    CHECK(o.d.next_deadline() == steady::time_point::max());
}

TEST_CASE("the longest timeouts never come") {
    office o{1};
    o.submit(fake_call({.timeout = std::chrono::hours::max()}));
    o.submit(fake_call({.queue_timeout = std::chrono::hours::max()}));
    CHECK(o.d.next_deadline() == steady::time_point::max());
}

TEST_CASE("a task that waits too long fails, one that started in time does not") {
    office o{1};
    const auto runs = fake_call({.queue_timeout = 10ms});
    const auto waits = fake_call({.queue_timeout = 10ms, .label = "late"});
    const auto patient = fake_call();
    for (const auto& w : {runs, waits, patient})
        o.submit(w);
    const auto c = o.only();
    CHECK(o.d.next_deadline() == o.now + 10ms);
    o.d.expire(o.now + 9ms, o.out);
    CHECK(o.finished().empty());
    o.d.expire(o.now + 10ms, o.out);
    CHECK(o.finished().size() == 1);
    try {
        std::rethrow_exception(waits->failure);
    } catch (const coproc::timeout_error& e) {
        CHECK(e.kind() == coproc::timeout_error::queued);
        const auto* where = dynamic_cast<const coproc::task_failure*>(&e);
        REQUIRE(where != nullptr);
        CHECK(where->label() == "late");
    }
    CHECK(o.d.next_deadline() == steady::time_point::max());
    o.done(0, c);
    CHECK(is(o.only(), patient, 0, 1));
    CHECK(o.d.stats().timed_out == 1);
}

TEST_CASE("a retry may start later than the queue_timeout") {
    office o{1};
    const auto w = fake_call({.queue_timeout = 10ms, .retries = 1});
    o.submit(w);
    const auto c = o.only();
    o.now += 1s;
    o.d.lost(0, {.chunk_id = c.id, .error = error_of("lost")}, o.now, o.out);
    o.d.expire(o.now, o.out);
    CHECK(w->failures == 0);
    o.d.ready(0, o.now, o.out);
    CHECK(is(o.only(), w, 0, 1, 2));
}

TEST_CASE("the items of a stream must start in time from when they were read") {
    office o{1};
    const auto s = fake_stream(0, {.queue_timeout = 10ms, .chunk_size = 1});
    o.submit(s);
    CHECK(o.d.next_deadline() == steady::time_point::max());
    o.d.extend(*s, 2, true, o.now, o.out);
    auto runs = o.only();
    CHECK(o.d.next_deadline() == o.now + 10ms); // of the second one
    const auto first_read = o.now;
    o.now += 6ms;
    o.d.extend(*s, 1, true, o.now, o.out);
    CHECK(o.d.next_deadline() == first_read + 10ms);
    o.done(0, runs);
    runs = o.only();
    CHECK(runs.first == 1);
    CHECK(o.d.next_deadline() == o.now + 10ms); // of the third
    o.d.expire(o.now + 9ms, o.out);
    CHECK(s->failures == 0);
    o.now += 10ms;
    o.d.expire(o.now, o.out);
    CHECK(s->failed_at == 2);
    CHECK(o.d.next_deadline() == steady::time_point::max());
    o.d.extend(*s, 1, true, o.now, o.out); // too late, and harmless
    CHECK(o.d.next_deadline() == steady::time_point::max());
    o.done(0, runs);
    CHECK(o.finished().size() == 1);
}

TEST_CASE("a stream whose reader takes its time is in time") {
    office o{1};
    const auto s = fake_stream(0, {.queue_timeout = 10ms});
    o.submit(s);
    for (int i = 0; i != 3; ++i) {
        o.d.extend(*s, 1, true, o.now, o.out);
        o.done(0, o.only());
        CHECK(o.d.next_deadline() == steady::time_point::max());
        o.now += 1s;
        o.d.expire(o.now, o.out);
    }
    CHECK(s->failures == 0);
    o.d.extend(*s, 0, false, o.now, o.out);
    CHECK(o.finished().size() == 1);
}

TEST_CASE("a map whose items wait too long fails at the first of them") {
    office o{2};
    const auto m = fake_map(40, {.queue_timeout = 10ms, .retries = 1, .chunk_size = 10});
    o.submit(m);
    auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    // Items 0..9 come back first, then 10..19: the later ones lie on top.
    for (const auto& a : all)
        o.d.lost(a.worker, {.chunk_id = a.what.id, .deliberate = true}, o.now, o.out);
    o.now += 1s;
    o.d.expire(o.now, o.out);
    CHECK(o.finished().size() == 1);
    CHECK(m->failed_at == 0);
    CHECK(o.d.stats().queued == 0);
    CHECK(o.d.next_deadline() == steady::time_point::max());
}

// --- recycling ------------------------------------------------------------------------------------

TEST_CASE("a worker is replaced after so many tasks, and gets no more than these") {
    office o{{.workers = 1, .max_tasks_per_worker = 5, .prefetch = 2}};
    const auto m = fake_map(8, {.chunk_size = 3});
    o.submit(m);
    const auto first = o.only();
    CHECK(is(first, m, 0, 3));
    o.done(0, first, 30us);
    const auto second = o.only();
    CHECK(is(second, m, 3, 2));
    CHECK(o.out.retire.empty());
    o.done(0, second, 30us);
    CHECK(o.handed_out().empty());
    CHECK(o.out.retire == std::vector<worker_index>{0});
    CHECK(o.out.start == std::vector<worker_index>{0});
    o.d.ready(0, o.now, o.out);
    CHECK(is(o.only(), m, 5, 3));
    CHECK(o.d.stats().workers_lost == 0);
    CHECK(o.d.stats().workers_started == 2);
}

TEST_CASE("a worker gets no more than its share, also while it is busy and more comes") {
    office o{{.workers = 1, .max_tasks_per_worker = 30, .prefetch = 10}};
    teach(o, 10us); // twenty calls
    for (int i = 0; i < 5; ++i)
        o.submit(fake_call());
    auto all = o.handed_out();
    CHECK(all.size() == 5);
    for (int i = 0; i < 20; ++i)
        o.submit(fake_call());
    for (auto& a : o.handed_out())
        all.push_back(std::move(a));
    CHECK(all.size() == 10);
    for (const auto& a : all)
        o.done(a, 10us);
    CHECK(o.handed_out().empty());
    CHECK(o.out.retire == std::vector<worker_index>{0});
    o.d.ready(0, o.now, o.out);
    CHECK(o.handed_out().size() == 11);
}

TEST_CASE("a worker that has grown too large is replaced when it has done what it has") {
    office o{{.workers = 1, .max_worker_memory = 1000, .prefetch = 1}};
    teach(o, 10us);
    const auto a = fake_call();
    const auto b = fake_call();
    const auto c = fake_call();
    for (const auto& w : {a, b, c})
        o.submit(w);
    const auto all = o.handed_out();
    REQUIRE(all.size() == 2);
    o.d.done(0, all[0].what.id, {1, nullptr}, 10us, 1001, o.now, o.out);
    CHECK(o.handed_out().empty());
    CHECK(o.out.retire.empty());
    o.d.done(0, all[1].what.id, {1, nullptr}, 10us, 900, o.now, o.out);
    CHECK(o.out.retire == std::vector<worker_index>{0});
    o.d.ready(0, o.now, o.out);
    CHECK(is(o.only(), c, 0, 1));
}

// --- starts that fail -----------------------------------------------------------------------------

TEST_CASE("workers that die before they are ready are started again, a bounded number of times") {
    dispatcher d{{.workers = 1, .restarts = 2}};
    effects out;
    const steady::time_point now{1h};
    d.start(out);
    out.clear();
    const auto w = fake_call();
    d.submit(*w, now, out);
    d.start_failed(0, error_of("first"), false, now, out);
    d.start_failed(0, error_of("second"), false, now, out);
    CHECK(out.start.size() == 2);
    CHECK_FALSE(d.broken());
    d.start_failed(0, error_of("third"), false, now, out);
    CHECK(out.start.size() == 2);
    REQUIRE(d.broken());
    CHECK(text_of(w->failure) == "first"); // the others are mostly consequences
    CHECK(out.finished.size() == 1);
    const auto late = fake_call();
    d.submit(*late, now, out);
    CHECK(text_of(late->failure) == "first");
    CHECK(out.finished.size() == 2);
    d.close(out);
    CHECK(out.drained);
}

TEST_CASE("failed starts are forgotten after a while, and by a success") {
    dispatcher d{{.workers = 1, .restarts = 1, .restart_window = 10s}};
    effects out;
    steady::time_point now{1h};
    d.start(out);
    for (int i = 0; i < 5; ++i) {
        d.start_failed(0, error_of("no"), false, now, out);
        now += 11s;
    }
    CHECK_FALSE(d.broken());
    for (int i = 0; i < 5; ++i) {
        d.start_failed(0, error_of("no"), false, now, out);
        d.ready(0, now, out);
        d.lost(0, {}, now, out); // a death when ready does not count
        d.lost(0, {}, now, out);
    }
    CHECK_FALSE(d.broken());
}

TEST_CASE("a hopeless start breaks the pool at once") {
    dispatcher d{{.workers = 2}};
    effects out;
    d.start(out);
    const auto stream = fake_stream(3);
    d.submit(*stream, {}, out);
    d.start_failed(1, error_of("no runtime"), true, {}, out);
    CHECK(d.broken());
    CHECK(text_of(stream->failure) == "no runtime");
    CHECK(out.finished.size() == 1);
}

TEST_CASE("while others work, a worker that cannot be started is tried again later") {
    office o{{.workers = 2, .restarts = 0}};
    o.d.lost(1, {}, o.now, o.out);
    o.out.clear();
    o.d.start_failed(1, error_of("no"), false, o.now, o.out);
    CHECK_FALSE(o.d.broken());
    CHECK(o.out.start.empty());
    const auto again = o.d.next_deadline();
    REQUIRE(again < o.now + 10s);
    SECTION("it is") {
        o.d.expire(again, o.out);
        CHECK(o.out.start == std::vector<worker_index>{1});
    }
    SECTION("not once the pool has drained") {
        o.d.close(o.out);
        CHECK(o.out.drained);
        o.d.expire(again, o.out);
        CHECK(o.out.start.empty());
        CHECK(o.d.next_deadline() == steady::time_point::max());
    }
}

TEST_CASE("a worker that cannot be started does not break a pool whose other worker is starting") {
    dispatcher d{{.workers = 2, .restarts = 0}};
    effects out;
    const steady::time_point now{1h};
    d.start(out);
    out.clear();
    d.start_failed(0, error_of("no"), false, now, out);
    CHECK_FALSE(d.broken());
    SECTION("that one works") {
        d.ready(1, now, out);
        CHECK(out.start.empty());
        d.expire(d.next_deadline(), out);
        CHECK(out.start == std::vector<worker_index>{0});
    }
    SECTION("that one cannot be started either") {
        d.start_failed(1, error_of("not this one"), false, now, out);
        REQUIRE(d.broken());
        CHECK(out.start.empty());
        const auto w = fake_call();
        d.submit(*w, now, out);
        CHECK(text_of(w->failure) == "no");
    }
}

// --- streams --------------------------------------------------------------------------------------

TEST_CASE("a stream is handed out as it comes, and ends when it is told to") {
    office o{1};
    const auto s = fake_stream(2, {.chunk_size = 8});
    o.submit(s);
    auto c = o.only();
    CHECK(is(c, s, 0, 2));
    o.done(0, c);
    CHECK(o.finished().empty());
    o.d.extend(*s, 3, true, o.now, o.out);
    c = o.only();
    CHECK(is(c, s, 2, 3));
    o.d.extend(*s, 1, true, o.now, o.out);
    o.done(0, c);
    c = o.only();
    CHECK(is(c, s, 5, 1));
    o.d.extend(*s, 0, false, o.now, o.out);
    CHECK(o.finished().empty());
    o.done(0, c);
    CHECK(o.finished().size() == 1);
    o.d.extend(*s, 5, true, o.now, o.out); // too late, and harmless
    CHECK(o.handed_out().empty());
}

TEST_CASE("an ended or failed stream takes no more") {
    office o{1};
    const auto s = fake_stream(1);
    o.submit(s);
    o.d.done(0, o.only().id, {0, error_of("bad")}, 1ms, 0, o.now, o.out);
    CHECK(o.finished().size() == 1);
    o.d.extend(*s, 5, true, o.now, o.out);
    CHECK(o.handed_out().empty());
    CHECK(s->failed_at == 0);
}

TEST_CASE("a closed pool has not drained before its streams have ended; they can be made to") {
    office o{1};
    const auto me = std::this_thread::get_id();
    const auto mine = fake_stream(0, {}, me);
    const auto other = fake_stream(0);
    o.submit(mine);
    o.submit(other);
    o.d.close(o.out);
    CHECK_FALSE(o.out.drained);
    o.d.end_streams([&](const detail::work& w) { return w.consumer() == me; },
                    error_for_all("joined"), o.out);
    CHECK(o.finished().size() == 1);
    CHECK(mine->failures == 1);
    CHECK(text_of(mine->failure) == "joined");
    CHECK_FALSE(o.out.drained);
    o.d.extend(*other, 0, false, o.now, o.out);
    CHECK(o.out.drained);
}

TEST_CASE("a stream that was made to end while an item runs ends with it") {
    office o{1};
    const auto s = fake_stream(1);
    o.submit(s);
    const auto c = o.only();
    o.d.close(o.out);
    o.d.end_streams([](const detail::work&) { return true; }, error_for_all("joined"), o.out);
    CHECK_FALSE(o.out.drained);
    o.done(0, c);
    CHECK(o.finished().size() == 1);
    CHECK(s->failed_at == 1);
    CHECK(o.d.stats().completed == 1);
    CHECK(o.out.drained);
}

// --- ends -----------------------------------------------------------------------------------------

TEST_CASE("a closed pool drains when all is done, once") {
    office o{2};
    for (int i = 0; i < 3; ++i)
        o.submit(fake_call());
    o.d.close(o.out);
    CHECK_FALSE(o.d.accepts());
    CHECK_FALSE(o.out.drained);
    auto all = o.handed_out();
    o.done(all[0]);
    o.done(all[1]);
    CHECK_FALSE(o.out.drained);
    o.done(o.handed_out().at(0));
    CHECK(o.out.drained);
    o.out.clear();
    o.d.close(o.out);
    o.d.terminate(error_for_all("terminated"), o.out);
    o.d.expire(o.now + 1h, o.out);
    CHECK(o.out.empty());
    CHECK(o.d.stats().workers == 0);
}

TEST_CASE("a worker lost after the pool has drained is not replaced") {
    office o{1};
    o.d.close(o.out);
    CHECK(o.out.drained);
    o.d.lost(0, {}, o.now, o.out);
    CHECK(o.out.start.empty());
}

TEST_CASE("terminate fails everything at once, each with one failure") {
    office o{2};
    std::vector<fake_ptr> works;
    for (int i = 0; i < 10'000; ++i) {
        works.push_back(fake_call({.timeout = 10s, .queue_timeout = 10s, .priority = i % 3}));
        o.submit(works.back());
    }
    works.push_back(fake_map(100));
    works.push_back(fake_map(100, {.priority = 9}));
    works.push_back(fake_stream(0));
    works.push_back(fake_stream(5));
    for (auto at = works.end() - 4; at != works.end(); ++at)
        o.submit(*at);
    const auto all = o.handed_out();
    o.done(all[0]); // the map with the high priority is in flight and in the queue
    const auto next = o.only();
    CHECK(next.of->many());
    o.finished();
    o.d.terminate(error_for_all("terminated"), o.out);
    CHECK(o.out.drained);
    CHECK(o.out.stop.size() == 2);
    CHECK(o.finished().size() == works.size() - 1);
    CHECK(o.d.stats().cancelled == works.size() - 1);
    CHECK(o.d.stats().queued == 0);
    CHECK(o.d.next_deadline() == steady::time_point::max());
    CHECK_FALSE(o.done(all[1]));
    CHECK(o.handed_out().empty());
    CHECK(o.d.stats().completed == 1);
}

TEST_CASE("whether a plain call would come behind others can be told") {
    office o{1};
    CHECK_FALSE(o.d.plain_waits());
    const auto running = fake_call();
    o.submit(running);
    CHECK_FALSE(o.d.plain_waits()); // it runs, nothing waits
    const auto plain = fake_call();
    o.submit(plain);
    CHECK(o.d.plain_waits());
    const auto high = fake_call({.priority = 1});
    o.submit(high);
    CHECK(o.done(o.handed_out().front()));
    CHECK(is(o.only(), high, 0, 1));
    CHECK(o.d.plain_waits());
    // It would come before this one, which may be handed out any moment.
    const auto low = fake_call({.priority = -1});
    o.submit(low);
    CHECK_FALSE(o.d.plain_waits());
}

TEST_CASE("the figures of a pool add up") {
    office o{2, 1};
    CHECK(o.d.stats().workers == 2);
    CHECK(o.d.stats().idle == 2);
    teach(o, 10us);
    o.submit(fake_map(10, {.chunk_size = 3}));
    for (int i = 0; i < 4; ++i)
        o.submit(fake_call());
    const auto s = o.d.stats();
    CHECK(s.workers == 2);
    CHECK(s.idle == 0);
    CHECK(s.running == 2);
    CHECK(s.running + s.queued == 14);
    CHECK(s.completed == 20);
    for (auto all = o.handed_out(); !all.empty(); all = o.handed_out())
        for (const auto& a : all)
            o.done(a, 10us);
    CHECK(o.d.stats().completed == 34);
    CHECK(o.d.stats().queued == 0);
    CHECK(o.d.stats().running == 0);
    CHECK(o.d.stats().idle == 2);
}

TEST_CASE("who of the idle workers is the next can be told") {
    coproc::detail::dispatcher d{{.workers = 4}};
    coproc::detail::effects out;
    d.start(out);
    for (coproc::detail::worker_index i = 0; i < 4; ++i)
        d.ready(i, {}, out);
    CHECK(d.next_idle() == 3);
    d.reorder_idle(0, 0); // 1 2 3 0
    CHECK(d.next_idle() == 0);
    d.reorder_idle(3, 3); // 3 1 2 0
    d.reorder_idle(0, 1); // 3 1 0 2
    d.reorder_idle(1, 9); // 1 3 0 2
    std::vector<fake_ptr> works;
    out.clear();
    for (int i = 0; i < 4; ++i) {
        works.push_back(fake_call());
        d.submit(*works.back(), {}, out);
    }
    std::vector<coproc::detail::worker_index> order;
    for (const auto& each : out.assign)
        order.push_back(each.worker);
    CHECK(order == std::vector<coproc::detail::worker_index>{2, 0, 3, 1});
    CHECK_FALSE(d.any_idle());
    d.reorder_idle(2, 0); // not idle: nothing
    CHECK_FALSE(d.any_idle());
}

TEST_CASE(
    "a worker that is occupied by calls of its own is given nothing else until it is released") {
    office o{2};
    const auto busy_with_its_own = o.d.next_idle();
    o.d.occupy(busy_with_its_own);
    CHECK(o.d.stats().idle == 1);
    CHECK(o.d.stats().running == 0);
    const auto first = fake_call();
    const auto second = fake_call();
    o.submit(first);
    o.submit(second);
    const auto handed_out = o.handed_out();
    REQUIRE(handed_out.size() == 1);
    CHECK(handed_out.front().worker != busy_with_its_own);
    o.d.count_completed(5);
    o.d.release(busy_with_its_own, o.now, o.out);
    CHECK(o.d.stats().completed == 5);
    const auto then = o.handed_out();
    REQUIRE(then.size() == 1);
    CHECK(then.front().worker == busy_with_its_own);
    CHECK(then.front().what.of.get() == second.get());
}

TEST_CASE("a call that is adopted is in flight like any other") {
    office o{1};
    o.d.occupy(0);
    const auto w = fake_call();
    o.d.adopt(0, *w, o.now);
    CHECK(o.d.stats().running == 1);
    const auto* c = o.d.running(0);
    REQUIRE(c != nullptr);
    CHECK(c->of.get() == w.get());
    SECTION("done") {
        CHECK(o.done(0, chunk{*c}));
        CHECK(o.finished().size() == 1);
        CHECK(o.d.is_idle(0));
        CHECK(o.d.stats().completed == 1);
    }
    SECTION("cancelled") {
        const auto id = c->id;
        CHECK(o.d.cancel(*w, error_of("enough"), failure_kind::cancelled, o.out));
        REQUIRE(o.out.stop.size() == 1);
        CHECK(o.out.stop.front().chunk_id == id);
        CHECK(o.finished().size() == 1);
    }
    SECTION("a pool that closes waits for it") {
        const chunk mine{*c};
        o.d.close(o.out);
        CHECK_FALSE(o.out.drained);
        o.done(0, mine);
        CHECK(o.out.drained);
    }
}

TEST_CASE("a cancelled work is left when no worker has any of it any more") {
    office o{2};
    const auto m = fake_map(2, {.chunk_size = 1});
    o.submit(m);
    const auto both = o.handed_out();
    REQUIRE(both.size() == 2);
    REQUIRE(o.d.cancel(*m, std::make_exception_ptr(1), failure_kind::cancelled, o.out));
    REQUIRE(o.finished().size() == 1);
    CHECK(m->left_behind());
    SECTION("because they replied, or were stopped") {
        CHECK_FALSE(o.done(both[0]));
        CHECK(o.out.left.empty());
        o.d.lost(both[1].worker, {}, o.now, o.out);
    }
    SECTION("because they had not begun") {
        o.d.returned(both[1].worker, both[1].what.id, o.now, o.out);
        CHECK(o.out.left.empty());
        o.d.returned(both[0].worker, both[0].what.id, o.now, o.out);
    }
    SECTION("because all have ended") { o.d.forget_workers(o.out); }
    REQUIRE(o.out.left.size() == 1);
    CHECK(o.out.left[0].get() == m.get());

    const auto other = fake_call();
    o.submit(other);
    CHECK(o.d.cancel(*other, std::make_exception_ptr(1), failure_kind::cancelled, o.out));
}
