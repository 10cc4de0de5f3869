// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A manager's objects, in a process of their own and on threads.

#include "support/managers.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

using namespace coproc_test;

namespace {

class counter {
public:
    counter() = default;
    explicit counter(int start) : value_{start} {}
    int add(int n) { return value_ += n; }
    [[nodiscard]] int value() const noexcept { return value_; }
    void fail(const std::string& why) { throw std::out_of_range{why}; }
    std::string name(std::string prefix) const { return prefix + std::to_string(value_); }
    int plain = 17;

private:
    int value_ = 0;
};
class better_counter : public counter {
public:
    using counter::counter;
};

/// Takes nothing that is given as a view.
class labelled {
public:
    labelled() = default;
    explicit labelled(std::string text) : text_{std::move(text)} {}
    std::string with(std::string more) const { return text_ + more; }

private:
    std::string text_;
};

} // namespace

TEMPLATE_TEST_CASE("a manager's dict", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto d = m.template dict<std::string, int>();
    d.set("apples", 3);
    d.set("pears", 4);
    d.set("apples", 5);
    CHECK(d.at("apples") == 5);
    CHECK(d.get("pears") == 4);
    CHECK(d.get("plums") == std::nullopt);
    CHECK(d.get("plums", 9) == 9);
    CHECK_THROWS_AS(d.at("plums"), std::out_of_range);
    CHECK(d.contains("apples"));
    CHECK(d.size() == 2);
    CHECK(d.keys() == std::vector<std::string>{"apples", "pears"});
    CHECK(d.values() == std::vector<int>{5, 4});
    CHECK(d.items() == std::vector<std::pair<std::string, int>>{{"apples", 5}, {"pears", 4}});
    CHECK(d.take("apples") == 5);
    CHECK(d.take("apples") == std::nullopt);
    CHECK(d.erase("pears"));
    CHECK_FALSE(d.erase("pears"));
    CHECK(d.empty());
    const auto same = d; // a handle
    same.set("x", 1);
    CHECK(d.at("x") == 1);
    d.clear();
    CHECK(same.empty());
}

TEMPLATE_TEST_CASE("a manager's list, array and value", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto l = m.template list<std::string>();
    l.push_back("b");
    l.push_back("c");
    l.insert(0, "a");
    l.set(2, "d");
    CHECK(l.items() == std::vector<std::string>{"a", "b", "d"});
    CHECK(l.at(1) == "b");
    CHECK_THROWS_AS(l.at(3), std::out_of_range);
    CHECK_THROWS_AS(l.set(3, "x"), std::out_of_range);
    CHECK(l.take(0) == "a");
    CHECK(l.pop_back() == "d");
    l.erase(0);
    CHECK(l.pop_back() == std::nullopt);
    CHECK(l.size() == 0);

    auto a = m.template array<double>(3);
    a.set(1, 2.5);
    CHECK(a.items() == std::vector<double>{0, 2.5, 0});
    CHECK(a.at(1) == 2.5);
    CHECK(a.size() == 3);
    CHECK_THROWS_AS(a.at(3), std::out_of_range);

    auto v = m.template value<std::vector<int>>();
    CHECK(v.get().empty());
    v.set({1, 2});
    CHECK(v.exchange({3}) == std::vector<int>{1, 2});
    v.store({4, 5, 6});
    CHECK(v.load() == std::vector<int>{4, 5, 6});
}

TEMPLATE_TEST_CASE("a manager's namespace", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto n = m.namespace_();
    n.set("size", 3);
    n.set("name", "Ada");
    CHECK(n.template get<int>("size") == 3);
    CHECK(n.template get<std::string>("name") == "Ada");
    CHECK(n.names() == std::vector<std::string>{"size", "name"});
    CHECK_THROWS_AS(n.template get<int>("nothing"), std::out_of_range);
    CHECK_THROWS_AS(n.template get<std::string>("size"), coproc::error);
    CHECK(n.contains("name"));
    CHECK(n.erase("name"));
    CHECK_FALSE(n.contains("name"));
}

TEMPLATE_TEST_CASE("a manager's objects keep others", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    using list = decltype(m.template list<int>());
    const auto of = [&](int x) {
        auto made = m.template list<int>();
        made.push_back(x);
        return made;
    };
    // No proxy is left but those that are kept there.
    auto d = m.template dict<std::string, std::vector<list>>();
    d.set("some", {of(1), of(2)});
    for (int i = 0; i != 3; ++i) {
        const auto some = d.at("some");
        REQUIRE(some.size() == 2);
        some[1].push_back(i);
        CHECK(some[0].at(0) == 1);
    }
    CHECK(d.at("some")[1].items() == std::vector{2, 0, 1, 2});
    CHECK(d.take("some")->at(1).size() == 4);

    auto l = m.template list<list>();
    l.push_back(of(3));
    auto v = m.template value<list>(of(4));
    auto a = m.template array<list>(2, of(5));
    auto names = m.namespace_();
    names.set("one", of(6));
    for (int i = 0; i != 2; ++i) {
        CHECK(l.at(0).at(0) == 3);
        CHECK(v.get().at(0) == 4);
        CHECK(a.at(0).at(0) == 5);
        CHECK(a.at(1).at(0) == 5);
        CHECK(names.template get<list>("one").at(0) == 6);
    }
    a.set(0, of(7));
    CHECK(a.at(0).at(0) == 7);
    CHECK(a.at(1).at(0) == 5);

    auto q = m.template queue<list>();
    q.put(of(8));
    CHECK(q.get().at(0) == 8);
}

TEMPLATE_TEST_CASE("a manager's queue", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto q = m.template queue<std::string>(2);
    q.put("a");
    CHECK(q.try_put("b"));
    CHECK_FALSE(q.try_put("c"));
    CHECK(q.full());
    CHECK(q.size() == 2);
    CHECK_THROWS_AS(q.put("c", 1ms), coproc::queue_full_error);
    CHECK(q.get() == "a");
    CHECK(q.get(10s) == "b");
    CHECK(q.empty());
    CHECK(q.try_get() == std::nullopt);
    CHECK_THROWS_AS(q.get(1ms), coproc::queue_empty_error);
    std::thread later{[q] { q.put("late"); }};
    CHECK(q.get() == "late");
    later.join();
    q.put("last");
    q.close();
    CHECK_THROWS_AS(q.put("more"), coproc::queue_closed_error);
    CHECK(q.get() == "last");
    CHECK_THROWS_AS(q.get(), coproc::queue_closed_error);
    CHECK_THROWS_AS(q.try_get(), coproc::queue_closed_error);
}

TEMPLATE_TEST_CASE("a manager's queue between coroutines", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto q = m.template queue<int>(1);
    int sum = 0;
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        asio::co_spawn(
            executor,
            [&]() -> asio::awaitable<void> {
                for (int i = 1; i <= 20; ++i)
                    co_await q.async_put(i);
            },
            asio::detached);
        for (int i = 1; i <= 20; ++i)
            sum += co_await q.async_get();
    });
    CHECK(sum == 210);
}

TEMPLATE_TEST_CASE("cancelling a wait at a manager takes nothing", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto q = m.template queue<int>();
    asio::io_context context;
    asio::cancellation_signal stop;
    std::exception_ptr result;
    q.async_get(asio::bind_cancellation_slot(
        stop.slot(), asio::bind_executor(context, [&](std::exception_ptr e, int) { result = e; })));
    stop.emit(asio::cancellation_type::all);
    context.run();
    CHECK_THROWS_AS(std::rethrow_exception(result), coproc::cancelled_error);
    q.put(1);
    CHECK(q.get(10s) == 1);
}

TEMPLATE_TEST_CASE("what a cancelled wait at a manager was given goes back", "",
                   MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto q = m.template queue<int>();
    auto mutex = m.mutex();
    auto s = m.semaphore(1);
    asio::io_context context;
    asio::cancellation_signal stop[3];
    std::exception_ptr result[3];
    const auto on = [&](int i, auto handler) {
        return asio::bind_cancellation_slot(stop[i].slot(),
                                            asio::bind_executor(context, std::move(handler)));
    };
    q.put(1);
    q.put(2);
    q.async_get(on(0, [&](std::exception_ptr e, int) { result[0] = e; }));
    mutex.async_lock(on(1, [&](std::exception_ptr e) { result[1] = e; }));
    s.async_acquire(on(2, [&](std::exception_ptr e) { result[2] = e; }));
    // They have been given it all; their handlers have not run.
    CHECK(eventually([&] { return q.size() == 1; }));
    CHECK(eventually([&] { return s.value() == 0; }));
    for (auto& each : stop)
        each.emit(asio::cancellation_type::all);
    context.run();
    for (const auto& each : result)
        CHECK_THROWS_AS(std::rethrow_exception(each), coproc::cancelled_error);
    CHECK(q.get(10s) == 1);
    CHECK(q.get(10s) == 2);
    CHECK(mutex.try_lock_for(10s));
    mutex.unlock();
    CHECK(s.try_acquire_for(10s));
}

TEMPLATE_TEST_CASE("a manager's mutex", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto mutex = m.mutex();
    auto other = m.mutex();
    {
        const std::scoped_lock both{mutex, other};
        CHECK_FALSE(mutex.try_lock());
        CHECK_FALSE(mutex.try_lock_for(1ms));
    }
    CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
    int value = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i != 100; ++i) {
                const std::unique_lock lock{mutex};
                ++value;
            }
        });
    for (auto& t : threads)
        t.join();
    CHECK(value == 400);
    run([&]() -> asio::awaitable<void> {
        co_await mutex.async_lock();
        CHECK_FALSE(mutex.try_lock());
        mutex.unlock();
    });
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEMPLATE_TEST_CASE("a manager's semaphore and event", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto s = m.bounded_semaphore(2);
    s.acquire();
    CHECK(s.try_acquire());
    CHECK_FALSE(s.try_acquire());
    CHECK_FALSE(s.try_acquire_for(1ms));
    s.release(2);
    CHECK(s.value() == 2);
    CHECK_THROWS_AS(s.release(), std::logic_error);
    auto open = m.semaphore(0);
    open.release();
    run([&]() -> asio::awaitable<void> { co_await open.async_acquire(); });

    auto e = m.event();
    CHECK_FALSE(e.is_set());
    CHECK_FALSE(e.wait(1ms));
    std::thread later{[e] { e.set(); }};
    e.wait();
    later.join();
    CHECK(e.wait(1ms));
    run([&]() -> asio::awaitable<void> { co_await e.async_wait(); });
    e.clear();
    CHECK_FALSE(e.is_set());
}

TEMPLATE_TEST_CASE("a manager's object of a user's class", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto c = m.template make<counter>(10);
    CHECK(c.call(&counter::add, 5) == 15);
    CHECK(c.call(&counter::value) == 15);
    CHECK(c.call(&counter::plain) == 17);
    CHECK(c.call(&counter::name, "n") == "n15");
    CHECK(c.call([](counter& self, int n) { return self.add(n) * 2; }, 1) == 32);
    try {
        c.call(&counter::fail, "beyond");
        FAIL("no exception");
    } catch (const std::out_of_range& e) {
        CHECK(std::string{e.what()} == "beyond");
        CHECK(dynamic_cast<const coproc::task_failure*>(&e) != nullptr);
    }
    run([&]() -> asio::awaitable<void> {
        auto add = c.async_call(&counter::add, 4);
        const int sum = co_await std::move(add);
        CHECK(sum == 20);
        const int more = co_await c.async_call(&counter::add, 2, asio::use_awaitable);
        CHECK(more == 22);
        auto failing = c.async_call(&counter::fail, "again");
        CHECK_THROWS_AS(co_await std::move(failing), std::out_of_range);
    });
    std::promise<std::exception_ptr> done;
    c.async_call([](counter& self, const std::string& text) { self.fail(text); }, "once more",
                 [&](std::exception_ptr e) { done.set_value(e); });
    CHECK_THROWS_AS(std::rethrow_exception(done.get_future().get()), std::out_of_range);
    auto derived = m.template make<better_counter>(1);
    CHECK(derived.call(&better_counter::add, 1) == 2);
    CHECK_THROWS_AS((typename std::decay_t<decltype(c)>{}.call(&counter::value)),
                    std::logic_error); // empty
}

TEMPLATE_TEST_CASE("calls from one program on an object keep their order", "",
                   MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto c = m.template make<std::vector<int>>();
    asio::io_context context;
    for (int i = 0; i != 500; ++i)
        c.async_call([](std::vector<int>& v, int x) { v.push_back(x); }, i)(
            asio::bind_executor(context, [](std::exception_ptr e) { REQUIRE_FALSE(e); }));
    context.run();
    const auto all = c.call([](std::vector<int>& v) { return v; });
    REQUIRE(all.size() == 500);
    CHECK(std::is_sorted(all.begin(), all.end()));
}

TEMPLATE_TEST_CASE("a locked object of a user's class is called once at a time", "",
                   MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto c = m.template make_locked<counter>();
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i != 200; ++i)
                c.call(&counter::add, 1);
        });
    for (auto& t : threads)
        t.join();
    CHECK(c.call(&counter::value) == 800);
}

TEMPLATE_TEST_CASE("a manager publishes objects by name", "", MANAGER_VOCABULARIES) {
    coproc::manager_options options;
    options.endpoint = "tcp://127.0.0.1:0";
    options.authkey = "a key";
    typename TestType::manager m{options};
    CHECK(m.authkey() == "a key");
    auto q = m.template queue<int>();
    m.publish("jobs", q);
    q.put(3);

    auto there = TestType::manager::connect(m.endpoint(), "a key");
    using int_queue = typename TestType::template queue<int>;
    using text_queue = typename TestType::template queue<std::string>;
    auto found = there.template find<int_queue>("jobs");
    CHECK(found.get(10s) == 3);
    found.put(4);
    CHECK(q.get(10s) == 4);
    CHECK_THROWS_AS(there.template find<int_queue>("nothing"), std::out_of_range);
    CHECK_THROWS_AS(there.template find<text_queue>("jobs"), coproc::error);
    CHECK_THROWS_AS(TestType::manager::connect(m.endpoint(), "another key"),
                    coproc::authentication_error);
    CHECK(m.unpublish("jobs"));
    CHECK_FALSE(m.unpublish("jobs"));
    CHECK_THROWS_AS(there.template find<int_queue>("jobs"), std::out_of_range);
    CHECK_THROWS_AS(typename TestType::manager{[] {
                        coproc::manager_options wrong;
                        wrong.endpoint = "nowhere";
                        return wrong;
                    }()},
                    std::invalid_argument);
}

TEMPLATE_TEST_CASE("a manager does not publish an empty proxy", "", MANAGER_VOCABULARIES) {
    const typename TestType::manager m;
    const typename TestType::template dict<std::string, int> none;
    const auto error = thrown<std::logic_error>([&] { m.publish("none", none); });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("empty"));
    CHECK_THROWS_AS(m.async_publish("none", none), std::logic_error);
}

TEMPLATE_TEST_CASE("a manager is shut down by who started it", "", MANAGER_VOCABULARIES) {
    coproc::manager_options options;
    options.endpoint = "tcp://127.0.0.1:0";
    options.authkey = "a key";
    const typename TestType::manager m{options};
    const auto there = TestType::manager::connect(m.endpoint(), "a key");
    const auto error = thrown<std::logic_error>([&] { there.shutdown(); });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("started a manager can shut it down"));
    CHECK(m.is_alive());
    const auto copy = m;
    copy.shutdown();
    CHECK_FALSE(m.is_alive());
}

TEMPLATE_TEST_CASE("what a manager's objects take is given views", "", MANAGER_VOCABULARIES) {
    const typename TestType::manager m;
    const std::string_view text = "abc";
    auto o = m.template make<labelled>(text);
    CHECK(o.call(&labelled::with, std::string_view{"de"}) == "abcde");
    CHECK(o.within(patience).call(&labelled::with, text) == "abcabc");
    CHECK(m.template make_locked<labelled>(text).call(&labelled::with, "!") == "abc!");
}

TEMPLATE_TEST_CASE("a manager that was shut down says so", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    CHECK(m.is_alive());
    m.shutdown();
    CHECK_FALSE(m.is_alive());
    CHECK_THROWS_AS(m.template list<int>(), coproc::end_of_stream_error);
}

TEST_CASE("a manager on threads takes what cannot be sent") {
    coproc::dummy::manager m;
    auto pointers = m.dict<int*, std::function<int()>>();
    int x = 1;
    pointers.set(&x, [&x] { return ++x; });
    CHECK(pointers.at(&x)() == 2);
    auto owned = m.list<std::unique_ptr<int>>();
    owned.push_back(std::make_unique<int>(5));
    CHECK(**owned.pop_back() == 5);
    auto o = m.make<std::atomic<int>>(3);
    CHECK(o.call([&x](std::atomic<int>& a) { return a += x; }) == 5);
}
