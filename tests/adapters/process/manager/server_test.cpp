// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A manager's server process and its clients: workers, other connections, other programs.

#include "support/pools.hpp"
#include "support/traced.hpp"

#include <coproc/manager.hpp>
#include <coproc/queue.hpp>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <manager/client.hpp>
#include <string_view>
#include <thread>

using namespace coproc_test;
using namespace std::string_view_literals;
using coproc::dict_proxy;
using coproc::manager;
using coproc::mutex_proxy;
using coproc::queue_proxy;

namespace {

/// Waits inside a call until another client's call comes.
class meeting {
public:
    int meet() {
        std::unique_lock lock{mutex_};
        const int mine = ++here_;
        woken_.notify_all();
        woken_.wait(lock, [this] { return here_ >= 2; });
        return mine;
    }

private:
    std::mutex mutex_;
    std::condition_variable woken_;
    int here_ = 0;
};

int add_in_worker(const dict_proxy<std::string, int>& d, int n) {
    d.set("from a worker", n);
    return d.at("from the parent");
}

void lock_and_die(const mutex_proxy& m, const std::string& sign) {
    m.lock();
    raise_sign(sign);
    std::raise(SIGKILL);
}

void lock_fork_and_die(const mutex_proxy& m) {
    m.lock();
    if (::fork() == 0) { // has a copy of the connection, and leaves the worker's process group
        ::setsid();
        ::alarm(30);
        for (int fd = 0; fd != 3; ++fd)
            ::close(fd); // whoever reads what the tests print does not wait for it
        for (;;)
            ::pause();
    }
    std::raise(SIGKILL);
}

void take_and_die(const queue_proxy<int>& q) {
    // The element is on its way to a process that will not read it.
    q.async_get([](std::exception_ptr, int) {});
    std::raise(SIGKILL);
}

pid_t server_of(const manager& m) { return m.pid(); }

bool is_gone(pid_t pid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/stat"};
    std::string a, b, state;
    status >> a >> b >> state;
    return !status || state == "Z" || state == "X";
}

coproc::manager_options at_a_port(std::string key = "the key") {
    coproc::manager_options options;
    options.endpoint = "tcp://127.0.0.1:0";
    options.authkey = std::move(key);
    return options;
}

} // namespace

TEST_CASE("proxies are arguments, results and elements") {
    manager m;
    auto d = m.dict<std::string, int>();
    d.set("from the parent", 5);
    coproc::pool pool{2};
    CHECK(pool.apply(&add_in_worker, d, 7) == 5);
    CHECK(d.at("from a worker") == 7);
    // Through a queue of the manager itself, and back as a result.
    auto q = m.queue<dict_proxy<std::string, int>>();
    q.put(d);
    const auto same =
        pool.apply([](queue_proxy<dict_proxy<std::string, int>> all) { return all.get(); }, q);
    CHECK(same.size() == 2);
    CHECK(same == d); // one reference for all proxies of a process
}

TEST_CASE("an object at a manager outlives whoever made it") {
    manager m{at_a_port()};
    coproc::pool pool{1};
    auto made = pool.apply(
        [](const std::string& at, const std::string& key) {
            auto l = manager::connect(at, key).list<int>();
            l.push_back(3);
            return l; // on its way the process that made it holds it; then nobody else does
        },
        m.endpoint(), m.authkey());
    pool.terminate();
    pool.join();
    CHECK(made.items() == std::vector<int>{3});
}

TEST_CASE("the end of the last proxy is the end of a manager's object") {
    const signs s;
    manager m;
    auto first = m.make<traced>(s.path("destroyed"));
    auto second = first;
    coproc::pool pool{1};
    CHECK(pool.apply([](coproc::object_proxy<traced> t) { return t.call(&traced::touch); },
                     first) == 1);
    first = {};
    CHECK(second.call(&traced::touch) == 1);
    CHECK_FALSE(sees_sign(s.path("destroyed")));
    second = {};
    CHECK(eventually([&] { return sees_sign(s.path("destroyed")); }));
}

TEST_CASE("calls of different programs on a manager's objects run at the same time") {
    manager m;
    auto object = m.make<meeting>();
    coproc::pool pool{2};
    auto meet = [](coproc::object_proxy<meeting> o) { return o.call(&meeting::meet); };
    auto one = pool.apply_async(meet, object);
    auto two = pool.apply_async(meet, object);
    CHECK(one.get(patience) + two.get(patience) == 3);
}

TEST_CASE("a call that waits stops nobody else's, nor the built-in objects") {
    manager m;
    auto object = m.make<meeting>();
    auto other = m.make<meeting>();
    auto d = m.dict<int, int>();
    std::thread waits{[&] { object.call(&meeting::meet); }};
    d.set(1, 1); // on the same connection
    std::thread also{[&] { other.call(&meeting::meet); }};
    for (int i = 0; i != 100; ++i)
        d.set(i, i);
    CHECK(d.size() == 100);
    coproc::pool pool{1};
    auto meet = [](coproc::object_proxy<meeting> o) { return o.call(&meeting::meet); };
    CHECK(pool.apply(meet, object) == 2);
    CHECK(pool.apply(meet, other) == 2);
    waits.join();
    also.join();
}

TEST_CASE("many threads share a program's connection to a manager") {
    manager m;
    auto d = m.dict<int, int>();
    auto q = m.queue<int>();
    std::vector<std::thread> threads;
    for (int t = 0; t != 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i != 300; ++i) {
                d.set(t * 1000 + i, i);
                q.put(i);
                if (d.at(t * 1000 + i) != i) std::abort();
                q.get();
            }
        });
    for (auto& t : threads)
        t.join();
    CHECK(d.size() == 2400);
    CHECK(q.empty());
}

TEST_CASE("large values go through a manager whole") {
    manager m;
    auto v = m.value<std::string>();
    for (const std::size_t size :
         {std::size_t{100'000}, std::size_t{300'000}, std::size_t{40} << 20}) {
        const std::string text(size, 'x');
        v.set(text);
        CHECK(v.get() == text);
    }
    auto remote = manager{at_a_port()};
    auto over_tcp = manager::connect(remote.endpoint(), "the key");
    auto w = over_tcp.value<std::string>();
    const std::string text(std::size_t{20} << 20, 'y');
    w.set(text);
    CHECK(w.get() == text);
}

TEST_CASE("handles of this machine go through a manager's local calls") {
    manager m;
    auto hand = m.dict<std::string, coproc::queue<int>>();
    coproc::queue<int> q;
    hand.set("numbers", q);
    coproc::pool pool{1};
    pool.apply([](dict_proxy<std::string, coproc::queue<int>> d) { d.at("numbers").put(42); },
               hand);
    CHECK(q.get(10s) == 42);
    // To another machine they do not go, and say so.
    manager far{at_a_port()};
    auto over_tcp = manager::connect(far.endpoint(), "the key");
    auto there = over_tcp.dict<std::string, coproc::queue<int>>();
    CHECK_THROWS_AS(there.set("numbers", q), coproc::serialization_error);
    CHECK(there.empty());
}

TEST_CASE("the death of a lock's owner is told once, by a manager") {
    const signs s;
    manager m;
    auto mutex = m.mutex();
    coproc::pool pool{1};
    CHECK_THROWS_AS(pool.apply(&lock_and_die, mutex, s.path("locked")), coproc::worker_lost_error);
    REQUIRE(sees_sign(s.path("locked")));
    CHECK_THROWS_AS(mutex.lock(), coproc::owner_died_error);
    mutex.lock();
    mutex.unlock();
}

TEST_CASE("a copy of a dead client's connection hides its death from no manager") {
    manager m;
    auto mutex = m.mutex();
    coproc::pool pool{1};
    CHECK_THROWS_AS(pool.apply(&lock_fork_and_die, mutex), coproc::worker_lost_error);
    CHECK_THROWS_AS(mutex.try_lock_for(20s), coproc::owner_died_error);
}

TEST_CASE("consumers that die lose no element of a manager's queue") {
    manager m;
    auto q = m.queue<int>();
    coproc::pool pool{2};
    for (int round = 0; round != 20; ++round) {
        q.put(2 * round);
        q.put(2 * round + 1);
        CHECK_THROWS_AS(pool.apply(&take_and_die, q), coproc::worker_lost_error);
        std::vector<int> got;
        // One of them may have been acknowledged on the reactor just before: then it was delivered.
        while (got.size() != 2) {
            try {
                got.push_back(q.get(2s));
            } catch (const coproc::queue_empty_error&) {
                break;
            }
        }
        CHECK(got.size() >= 1);
        CHECK(std::is_sorted(got.begin(), got.end()));
    }
}

TEST_CASE("a large element that a cancelled wait at a manager was given goes back") {
    const manager m{at_a_port()};
    const manager c = manager::connect(m.endpoint(), "the key");
    const bool local = GENERATE(true, false); // over memory, or over TCP
    CAPTURE(local);
    auto shared = m.queue<std::string>();
    m.publish("queue", shared);
    auto found = c.find<queue_proxy<std::string>>("queue");
    auto taker = local ? shared : found;
    auto other = local ? found : shared;
    (local ? shared : found) = {};

    const std::size_t size = std::size_t{16} << 20;
    other.put(std::string(size, 'x'));
    asio::io_context context;
    asio::cancellation_signal stop;
    std::exception_ptr result;
    taker.async_get(asio::bind_cancellation_slot(
        stop.slot(), asio::bind_executor(
                         context, [&](std::exception_ptr e, const std::string&) { result = e; })));
    // It is on its way, or here; its handler has not run. The taker's connection is not used again.
    CHECK(eventually([&] { return other.empty(); }));
    stop.emit(asio::cancellation_type::all);
    context.run_for(patience);
    REQUIRE(result);
    CHECK_THROWS_AS(std::rethrow_exception(result), coproc::cancelled_error);
    CHECK(other.get(patience).size() == size);
}

TEST_CASE("a handle that a cancelled wait at a manager was given goes back") {
    manager m;
    auto queue = m.queue<coproc::event>();
    const coproc::event sent;
    queue.put(sent);
    asio::io_context context;
    asio::cancellation_signal stop;
    std::exception_ptr result;
    queue.async_get(asio::bind_cancellation_slot(
        stop.slot(),
        asio::bind_executor(context, [&](std::exception_ptr e, coproc::event) { result = e; })));
    CHECK(eventually([&] { return queue.empty(); })); // it is here; its handler has not run
    stop.emit(asio::cancellation_type::all);
    context.run_for(patience);
    REQUIRE(result);
    CHECK_THROWS_AS(std::rethrow_exception(result), coproc::cancelled_error);
    const auto back = queue.get(patience);
    sent.set();
    CHECK(back.wait(patience));
}

TEST_CASE("the server dies: every call says how, and nothing hangs") {
    manager m;
    auto d = m.dict<int, int>();
    auto q = m.queue<int>();
    std::exception_ptr seen;
    std::thread waits{[&] {
        try {
            q.get();
        } catch (...) {
            seen = std::current_exception();
        }
    }};
    auto pending = asio::io_context{};
    std::exception_ptr async_seen;
    q.async_get(asio::bind_executor(pending, [&](std::exception_ptr e, int) { async_seen = e; }));
    ::kill(server_of(m), SIGKILL);
    waits.join();
    pending.run();
    CHECK_THROWS_AS(std::rethrow_exception(seen), coproc::end_of_stream_error);
    CHECK_THROWS_AS(std::rethrow_exception(async_seen), coproc::end_of_stream_error);
    try {
        d.set(1, 1);
        FAIL("no error");
    } catch (const coproc::end_of_stream_error& e) {
        CHECK_THAT(e.what(), ContainsSubstring("killed by SIGKILL"));
    }
    CHECK_FALSE(m.is_alive());
}

TEST_CASE("the server dies: who calls while the reactor learns how is told that, too") {
    for (int round = 0; round < 20; ++round) {
        const manager m;
        auto q = m.queue<int>();
        auto pending = asio::io_context{};
        q.async_get(asio::bind_executor(pending, [](const std::exception_ptr&, int) {}));
        ::kill(server_of(m), SIGKILL);
        try {
            for (;;)
                static_cast<void>(q.size());
        } catch (const coproc::end_of_stream_error& e) {
            CHECK_THAT(e.what(), ContainsSubstring("killed by SIGKILL"));
        }
        pending.run();
    }
}

TEST_CASE("a manager's server goes with its last handle, also while a call hangs") {
    pid_t pid = 0;
    queue_proxy<int> left;
    std::atomic<bool> told{false};
    {
        manager m;
        pid = server_of(m);
        left = m.queue<int>();
        auto object = m.make<meeting>();
        const manager copy = m;
        object.async_call (&meeting::meet)(
            [&](const std::exception_ptr& error, int) { told = error != nullptr; });
        CHECK(m.queue<int>().empty());
    }
    CHECK(is_gone(pid));
    CHECK(eventually([&] { return told.load(); }));
    CHECK_THROWS_AS(left.put(1), coproc::end_of_stream_error);
}

TEST_CASE("a crash in a user's object ends the manager, and is told") {
    manager m;
    auto o = m.make<traced>("/dev/null");
    try {
        o.call([](traced&) { std::abort(); });
        FAIL("no error");
    } catch (const coproc::end_of_stream_error& e) {
        CHECK_THAT(e.what(), ContainsSubstring("SIGABRT"));
    }
}

TEST_CASE("several managers at once, one within a worker") {
    manager one;
    manager two;
    auto a = one.value<int>(1);
    auto b = two.value<int>(2);
    CHECK(a.get() + b.get() == 3);
    CHECK_THROWS_AS(one.publish("b", b), coproc::error);
    coproc::pool pool{1};
    CHECK(pool.apply([] {
        manager inner;
        auto v = inner.value<int>(8);
        return v.exchange(9) + v.get();
    }) == 17);
}

TEST_CASE("a manager publishes an object of its own that came over another connection") {
    const auto way = GENERATE("blocking", "within", "async");
    CAPTURE(way);
    const manager m{at_a_port()};
    const manager c = manager::connect(m.endpoint(), "the key");
    const auto publish = [&](const manager& at, std::string_view name, const auto& proxy) {
        if (way == "blocking"sv)
            at.publish(name, proxy);
        else if (way == "within"sv)
            at.within(patience).publish(name, proxy);
        else
            at.async_publish(name, proxy, asio::use_future).get();
    };
    const auto check = [&](std::string_view name, int element) {
        for (const manager* each : {&m, &c}) {
            auto found = each->find<queue_proxy<int>>(name);
            found.put(element);
            CHECK(found.get(patience) == element);
        }
    };
    // The names hold the objects: no proxy is left.
    publish(m, "over TCP", c.queue<int>());
    publish(c, "local", m.queue<int>());
    check("over TCP", 1);
    check("local", 2);
    // A proxy that a client left at the server brings the client's address.
    auto inbox = m.list<queue_proxy<int>>();
    inbox.push_back(c.queue<int>());
    publish(m, "left there", inbox.at(0));
    inbox.clear();
    check("left there", 3);
    CHECK(m.unpublish("over TCP"));
    CHECK_THROWS_AS(c.find<queue_proxy<int>>("over TCP"), std::out_of_range);

    const manager other{at_a_port()};
    const manager at_other = manager::connect(other.endpoint(), "the key");
    for (const manager* each : {&m, &c}) {
        CHECK_THROWS_AS(publish(*each, "foreign", other.queue<int>()), coproc::error);
        CHECK_THROWS_AS(publish(*each, "foreign", at_other.queue<int>()), coproc::error);
        CHECK_THROWS_AS(each->find<queue_proxy<int>>("foreign"), std::out_of_range);
    }
}

TEST_CASE("by every start method, managers know their own objects") {
    const auto former = coproc::get_start_method();
    for (const auto method : {coproc::start_method::spawn, coproc::start_method::forkserver,
                              coproc::start_method::fork}) {
        coproc::set_start_method(method);
        const manager one;
        const manager two;
        const auto v = two.value<int>(1);
        CHECK_THROWS_AS(one.publish("v", v), coproc::error);
        two.publish("v", v);
    }
    coproc::set_start_method(former);
}

TEST_CASE("by every start method a manager serves") {
    const auto former = coproc::get_start_method();
    for (const auto method : {coproc::start_method::spawn, coproc::start_method::forkserver,
                              coproc::start_method::fork}) {
        coproc::set_start_method(method);
        manager m;
        auto v = m.value<int>(4);
        CHECK(v.get() == 4);
        auto c = m.make<traced>("/dev/null");
        CHECK(c.call(&traced::touch) == 1);
    }
    coproc::set_start_method(former);
}

TEST_CASE("managers that come and go leave nothing behind") {
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"},
                             std::filesystem::directory_iterator{});
    };
    const auto once = [] {
        manager m;
        auto q = m.queue<int>();
        q.put(1);
        asio::io_context context;
        q.async_get(asio::bind_executor(context, [](std::exception_ptr, int) {}));
        context.run();
    };
    once();
    const auto before = descriptors();
    for (int i = 0; i != 10; ++i)
        once();
    CHECK(eventually([&] { return descriptors() <= before; }));
}
