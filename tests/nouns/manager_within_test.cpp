// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A manager's objects with limited patience.

#include "support/managers.hpp"

#include <optional>
#include <set>
#include <vector>

using namespace coproc_test;

namespace {

class turnstile {
public:
    int pass(const std::string& entered, const std::string& leave) {
        raise_sign(entered);
        await_sign(leave);
        return ++passed_;
    }
    int passed() const { return passed_; }
    void fail() { throw std::out_of_range{"closed"}; }

private:
    int passed_ = 0;
};

template <class F>
void check_gives_up(F&& call) {
    try {
        std::forward<F>(call)();
        FAIL("it did not give up");
    } catch (const coproc::timeout_error& e) {
        CHECK(e.kind() == coproc::timeout_kind::waiting);
    }
}

} // namespace

TEMPLATE_TEST_CASE("a manager's own calls within a time", "", MANAGER_VOCABULARIES) {
    const typename TestType::manager m;
    const auto soon = m.within(patience);
    auto d = soon.template dict<std::string, int>();
    d.set("x", 1);
    soon.publish("words", d);
    using words = typename TestType::template dict<std::string, int>;
    CHECK(soon.template find<words>("words") == d);
    CHECK(soon.unpublish("words"));
    CHECK_THROWS_AS(soon.template find<words>("words"), std::out_of_range);
    auto object = soon.template make_locked<std::vector<int>>(3U, 7);
    CHECK(object.call([](const std::vector<int>& all) { return all.at(2); }) == 7);
    CHECK(soon.event().is_set() == false);
    CHECK(soon.pid() == m.pid());
}

TEMPLATE_TEST_CASE("a manager's objects within a time", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto d = m.template dict<std::string, int>();
    auto l = m.template list<int>();
    auto a = m.template array<int>(2);
    auto v = m.template value<int>(1);
    auto n = m.namespace_();
    auto e = m.event();
    auto s = m.semaphore(1);
    auto c = m.template make<turnstile>();
    d.within(patience).set("x", 1);
    const auto impatient = d.within(1h);
    CHECK(impatient == d);
    CHECK(impatient.at("x") == 1);
    CHECK(impatient.within(std::chrono::hours::max()).at("x") == 1);
    CHECK_THROWS_AS(impatient.at("y"), std::out_of_range);
    l.within(patience).push_back(1);
    CHECK(l.within(0.5h).at(0) == 1);
    a.within(patience).set(0, 5);
    CHECK(a.within(patience).items() == std::vector<int>{5, 0});
    CHECK(v.within(patience).exchange(2) == 1);
    n.within(patience).set("name", "Ada");
    CHECK(n.within(patience).template get<std::string>("name") == "Ada");
    e.within(patience).set();
    e.within(patience).wait();
    s.within(patience).acquire();
    s.within(patience).release();
    CHECK(c.within(patience).call(&turnstile::passed) == 0);
    CHECK_THROWS_AS(c.within(patience).call(&turnstile::fail), std::out_of_range);
}

TEMPLATE_TEST_CASE("a manager's queue within a time", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto q = m.template queue<int>(1);
    check_gives_up([&] { q.within(1ms).get(); });
    check_gives_up([&] { q.within(1ms).get(patience); });
    CHECK_THROWS_AS(q.within(patience).get(1ms), coproc::queue_empty_error); // the earlier one
    q.put(1);
    check_gives_up([&] { q.within(1ms).put(2); });
    check_gives_up([&] { q.within(1ms).put(2, patience); });
    CHECK_THROWS_AS(q.within(patience).put(2, 1ms), coproc::queue_full_error);
    CHECK(q.size() == 1);
    CHECK(q.within(patience).get() == 1); // of those that gave up none has taken it
    CHECK(q.try_get() == std::nullopt);   // and none has put anything
}

TEMPLATE_TEST_CASE("a manager's locks within a time", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto mutex = m.mutex();
    mutex.lock();
    check_gives_up([&] { mutex.within(1ms).lock(); });
    check_gives_up([&] { static_cast<void>(mutex.within(1ms).try_lock_for(patience)); });
    CHECK_FALSE(mutex.within(patience).try_lock_for(1ms));
    CHECK_FALSE(mutex.within(patience).try_lock());
    mutex.unlock();
    {
        const auto impatient = mutex.within(patience);
        const std::scoped_lock lock{impatient};
        CHECK_FALSE(mutex.try_lock());
    }
    CHECK(mutex.try_lock());
    mutex.unlock();

    auto s = m.semaphore(0);
    check_gives_up([&] { s.within(1ms).acquire(); });
    check_gives_up([&] { static_cast<void>(s.within(1ms).try_acquire_for(patience)); });
    CHECK_FALSE(s.within(patience).try_acquire_for(1ms));
    s.release();
    CHECK(s.try_acquire_for(patience));
    CHECK_FALSE(s.try_acquire());

    auto e = m.event();
    check_gives_up([&] { e.within(1ms).wait(); });
    check_gives_up([&] { e.within(1ms).wait(patience); });
    CHECK_FALSE(e.within(patience).wait(1ms));
}

TEMPLATE_TEST_CASE("a call of a user's object that is given up runs to its end", "",
                   MANAGER_VOCABULARIES) {
    const signs s;
    typename TestType::manager m;
    const bool locked = GENERATE(false, true);
    CAPTURE(locked);
    auto c = locked ? m.template make_locked<turnstile>() : m.template make<turnstile>();
    check_gives_up(
        [&] { c.within(50ms).call(&turnstile::pass, s.path("entered 1"), s.path("leave")); });
    CHECK(eventually([&] { return sees_sign(s.path("entered 1")); }));
    // Those behind it, too.
    check_gives_up(
        [&] { c.within(1ms).call(&turnstile::pass, s.path("entered 2"), s.path("leave")); });
    raise_sign(s.path("leave"));
    CHECK(eventually([&] { return c.within(patience).call(&turnstile::passed) == 2; }));
    CHECK(c.call(&turnstile::passed) == 2);
}

TEMPLATE_TEST_CASE("a call of a user's object that is cancelled runs to its end", "",
                   MANAGER_VOCABULARIES) {
    const signs s;
    typename TestType::manager m;
    const bool locked = GENERATE(false, true);
    CAPTURE(locked);
    auto c = locked ? m.template make_locked<turnstile>() : m.template make<turnstile>();
    asio::io_context context;
    asio::cancellation_signal stop;
    std::exception_ptr failure;
    const auto pass = [&](const std::string& entered, auto token) {
        c.async_call(&turnstile::pass, s.path(entered), s.path("leave"),
                     asio::bind_executor(context, std::move(token)));
    };
    pass("entered 1", asio::bind_cancellation_slot(
                          stop.slot(), [&](std::exception_ptr e, int) { failure = e; }));
    std::optional<int> second;
    pass("entered 2", [&](const std::exception_ptr& e, int n) {
        if (!e) second = n;
    });
    CHECK(eventually([&] { return sees_sign(s.path("entered 1")); }));
    stop.emit(asio::cancellation_type::all);
    context.run_one_for(patience);
    REQUIRE(failure);
    CHECK_THROWS_AS(std::rethrow_exception(failure), coproc::cancelled_error);
    CHECK_FALSE(sees_sign(s.path("entered 2"))); // the first one still runs
    raise_sign(s.path("leave"));
    context.run_for(patience);
    CHECK(second == 2);
    stop.emit(asio::cancellation_type::all); // too late
    CHECK(c.call(&turnstile::passed) == 2);
}

TEMPLATE_TEST_CASE("threads of different patience use a manager, and nothing gets lost", "",
                   MANAGER_VOCABULARIES) {
    static constexpr int elements = 400;
    static constexpr int consumers = 6;
    typename TestType::manager m;
    auto q = m.template queue<int>();
    auto d = m.template dict<int, int>();
    auto mutex = m.mutex();
    std::atomic<int> seen{0};
    std::vector<std::vector<int>> got(consumers);
    int guarded = 0;
    int counted = 0;
    std::mutex counting;
    std::vector<std::thread> threads;
    for (int t = 0; t != consumers; ++t)
        threads.emplace_back([&, t] {
            const auto until = std::chrono::steady_clock::now() + patience;
            for (int i = 0; seen < elements && std::chrono::steady_clock::now() < until; ++i) {
                try {
                    const int x = t == 0 ? q.get(10ms)
                                         : q.within(std::chrono::microseconds{t * i % 700}).get();
                    got[static_cast<std::size_t>(t)].push_back(x);
                    ++seen;
                } catch (const coproc::timeout_error&) {
                } catch (const coproc::queue_empty_error&) {}
                try {
                    const auto impatient = mutex.within(std::chrono::microseconds{200 * t});
                    const std::scoped_lock lock{impatient};
                    ++guarded;
                    const std::scoped_lock also{counting};
                    ++counted;
                } catch (const coproc::timeout_error&) {}
                d.set(t, i);
                if (d.at(t) != i) std::abort();
            }
        });
    for (int i = 0; i != elements; ++i)
        q.put(i);
    for (auto& t : threads)
        t.join();
    std::multiset<int> all;
    for (const auto& each : got)
        all.insert(each.begin(), each.end());
    CHECK(all.size() == elements);
    CHECK(std::set<int>(all.begin(), all.end()).size() == elements);
    CHECK(q.try_get() == std::nullopt);
    CHECK(guarded == counted);
    CHECK(mutex.try_lock_for(patience)); // nobody's
}
