// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Calls that do not wait for a manager's server any longer, and the replies that come all the same.

#include "support/pools.hpp"
#include "support/traced.hpp"

#include <coproc/event.hpp>
#include <coproc/manager.hpp>

#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

using namespace coproc_test;
using coproc::manager;

namespace {

coproc::manager_options at_a_port() {
    coproc::manager_options options;
    options.endpoint = "tcp://127.0.0.1:0";
    options.authkey = "the key";
    return options;
}

/// A manager's server does nothing as long as this lives.
class stopped {
public:
    explicit stopped(const manager& m) : pid_{m.pid()} { ::kill(pid_, SIGSTOP); }
    stopped(const stopped&) = delete;
    stopped& operator=(const stopped&) = delete;
    ~stopped() { ::kill(pid_, SIGCONT); }

private:
    pid_t pid_;
};

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

class desk {
public:
    void put(coproc::object_proxy<traced> what) { what_ = std::move(what); }
    coproc::object_proxy<traced> hand_over(const std::string& leave) {
        await_sign(leave);
        return std::move(what_);
    }
    std::vector<coproc::event> events(const std::string& leave) {
        await_sign(leave);
        return std::vector<coproc::event>(3);
    }
    int touch() { return 1; }

private:
    coproc::object_proxy<traced> what_;
};

} // namespace

TEST_CASE("a stopped manager is given up also where it is to make or find something") {
    const bool remote = GENERATE(false, true); // over memory, or over TCP
    CAPTURE(remote);
    const signs s;
    const manager m{at_a_port()};
    const manager c = remote ? manager::connect(m.endpoint(), "the key") : m;
    const auto d = c.dict<std::string, int>();
    c.publish("words", d);
    using words = coproc::dict_proxy<std::string, int>;
    {
        const auto soon = c.within(20ms);
        const stopped now{m};
        CHECK_THROWS_AS((soon.dict<int, int>()), coproc::timeout_error);
        CHECK_THROWS_AS(soon.array<int>(3), coproc::timeout_error);
        CHECK_THROWS_AS(soon.mutex(), coproc::timeout_error);
        CHECK_THROWS_AS(soon.make<traced>(s.path("destroyed")), coproc::timeout_error);
        CHECK_THROWS_AS(soon.publish("other words", d), coproc::timeout_error);
        CHECK_THROWS_AS(soon.find<words>("words"), coproc::timeout_error);
        CHECK_THROWS_AS(soon.within(0ms).unpublish("nothing"), coproc::timeout_error);
        const auto error = thrown<coproc::timeout_error>([&] { static_cast<void>(soon.event()); });
        CHECK(error->kind() == coproc::timeout_kind::waiting);
    }
    // What was made all the same is let go, and nothing else is disturbed.
    CHECK(eventually([&] { return sees_sign(s.path("destroyed")); }));
    d.set("x", 1);
    CHECK(c.find<words>("words").at("x") == 1);
    CHECK(c.within(patience).find<words>("words") == d);
    CHECK(c.within(patience).make<traced>("/dev/null").call(&traced::touch) == 1);
    CHECK_THROWS_AS(c.within(patience).find<words>("nothing"), std::out_of_range);
}

TEST_CASE("calls give up a stopped manager, and go on with it afterwards") {
    const bool remote = GENERATE(false, true); // over memory, or over TCP
    CAPTURE(remote);
    const manager m{at_a_port()};
    const manager c = remote ? manager::connect(m.endpoint(), "the key") : m;
    auto d = c.dict<std::string, int>();
    auto q = c.queue<std::string>();
    auto mutex = c.mutex();
    auto s = c.semaphore(1);
    auto v = c.value<std::string>();
    d.set("x", 1);
    q.put("a");
    q.put("b");
    const std::string large(std::size_t{12} << 20, 'l'); // is half sent, at most
    {
        const stopped now{m};
        CHECK_THROWS_AS(d.within(20ms).at("x"), coproc::timeout_error);
        CHECK_THROWS_AS(d.within(0ms).at("x"), coproc::timeout_error);
        CHECK_THROWS_AS(q.within(5ms).get(), coproc::timeout_error);
        CHECK_THROWS_AS(mutex.within(5ms).lock(), coproc::timeout_error);
        CHECK_THROWS_AS(s.within(5ms).acquire(), coproc::timeout_error);
        CHECK_THROWS_AS(q.within(5ms).try_get(), coproc::timeout_error);
        CHECK_THROWS_AS(v.within(5ms).set(large), coproc::timeout_error);
        CHECK_THROWS_AS(v.within(5ms).set("never begun"), coproc::timeout_error);
        CHECK_THROWS_AS(d.within(5ms).at("x"), coproc::timeout_error);
    }
    CHECK(d.at("x") == 1);
    CHECK(v.get() == large);
    CHECK(q.get(patience) == "a");
    CHECK(q.get(patience) == "b");
    CHECK(q.try_get() == std::nullopt);
    CHECK(mutex.try_lock_for(patience));
    mutex.unlock();
    CHECK(s.try_acquire_for(patience));
}

TEST_CASE("a guard whose manager is stopped can be left") {
    const manager m;
    auto mutex = m.mutex();
    {
        const auto impatient = mutex.within(20ms);
        const std::scoped_lock lock{impatient};
        ::kill(m.pid(), SIGSTOP);
    }
    ::kill(m.pid(), SIGCONT);
    CHECK(mutex.try_lock_for(patience)); // it has been unlocked
}

TEST_CASE("awaiting a stopped manager can be cancelled") {
    const manager m;
    auto d = m.dict<std::string, int>();
    auto v = m.value<coproc::object_proxy<desk>>(m.make<desk>());
    d.set("x", 1);
    std::exception_ptr results[2];
    {
        const stopped now{m};
        asio::io_context context;
        asio::cancellation_signal stop[2];
        d.async_at("x",
                   asio::bind_cancellation_slot(
                       stop[0].slot(), asio::bind_executor(context, [&](std::exception_ptr e, int) {
                           results[0] = e;
                       })));
        v.async_get(asio::bind_cancellation_slot(
            stop[1].slot(),
            asio::bind_executor(context, [&](std::exception_ptr e, auto) { results[1] = e; })));
        for (auto& each : stop)
            each.emit(asio::cancellation_type::all);
        context.run_for(patience);
    }
    for (const auto& each : results) {
        REQUIRE(each);
        CHECK_THROWS_AS(std::rethrow_exception(each), coproc::cancelled_error);
    }
    CHECK(d.at("x") == 1);
    CHECK(v.get().call(&desk::touch) == 1);
}

TEST_CASE("the end of a manager is not taken for a lack of patience") {
    const manager m;
    auto d = m.dict<std::string, int>();
    std::promise<void> calling;
    std::exception_ptr seen;
    ::kill(m.pid(), SIGSTOP);
    std::thread waits{[&] {
        try {
            calling.set_value();
            static_cast<void>(d.within(patience).at("x"));
        } catch (...) {
            seen = std::current_exception();
        }
    }};
    calling.get_future().wait();
    ::kill(m.pid(), SIGKILL);
    waits.join();
    REQUIRE(seen);
    CHECK_THROWS_AS(std::rethrow_exception(seen), coproc::end_of_stream_error);
    CHECK_THROWS_AS(d.within(patience).at("x"), coproc::end_of_stream_error);
}

TEST_CASE("a lock that comes too late goes back, though nobody has a proxy any more") {
    const manager m{at_a_port()};
    auto mutex = m.mutex();
    m.publish("mutex", mutex);
    auto c = std::make_unique<manager>(manager::connect(m.endpoint(), "the key"));
    auto found = c->find<coproc::mutex_proxy>("mutex");
    {
        const stopped now{m};
        CHECK_THROWS_AS(found.within(5ms).lock(), coproc::timeout_error);
        found = {};
        c.reset();
    }
    CHECK(mutex.try_lock_for(patience)); // its owner did not die
}

TEST_CASE("what a late reply of a manager holds is let go") {
    const signs s;
    const manager m;
    auto o = m.make_locked<desk>();
    SECTION("proxies") {
        o.call(&desk::put, m.make<traced>(s.path("destroyed")));
        CHECK_THROWS_AS(o.within(5ms).call(&desk::hand_over, s.path("leave")),
                        coproc::timeout_error);
        CHECK_FALSE(sees_sign(s.path("destroyed")));
        raise_sign(s.path("leave"));
        CHECK(eventually([&] { return sees_sign(s.path("destroyed")); }));
    }
    SECTION("descriptors") {
        raise_sign(s.path("leave"));
        CHECK(o.call(&desk::events, s.path("leave")).size() == 3);
        CHECK(eventually([&] {
            const auto before = open_descriptors();
            o.call(&desk::touch);
            return open_descriptors() == before;
        }));
        const auto before = open_descriptors();
        for (int i = 0; i != 20; ++i) {
            const auto leave = s.path("leave " + std::to_string(i));
            CHECK_THROWS_AS(o.within(1ms).call(&desk::events, leave), coproc::timeout_error);
            raise_sign(leave);
            CHECK(o.call(&desk::touch) == 1);
        }
        CHECK(eventually([&] { return open_descriptors() <= before; }));
    }
    CHECK(o.call(&desk::touch) == 1);
}

TEST_CASE("a proxy that travels does not take its impatience along") {
    const manager m;
    auto d = m.dict<std::string, int>();
    d.set("x", 1);
    const auto impatient = d.within(0ms);
    CHECK_THROWS_AS(impatient.at("x"), coproc::timeout_error);
    coproc::pool pool{1};
    CHECK(pool.apply([](coproc::dict_proxy<std::string, int> there) { return there.at("x"); },
                     impatient) == 1);
    const auto copy = impatient;
    CHECK_THROWS_AS(copy.at("x"), coproc::timeout_error);
    CHECK(d.at("x") == 1);
}

TEST_CASE("results with proxies of a stopped manager fail, and hold up nothing for long") {
    using words = coproc::dict_proxy<std::string, int>;
    const signs s;
    const manager m;
    const auto d = m.dict<std::string, int>();
    coproc::pool pool{2};
    const auto give_back = [](words there, const std::string& entered, const std::string& leave) {
        hold(entered, leave);
        return there;
    };
    {
        auto first = pool.apply_async(give_back, d, s.path("in 1"), s.path("leave"));
        auto second = pool.apply_async(give_back, d, s.path("in 2"), s.path("leave"));
        REQUIRE(await_sign(s.path("in 1")));
        REQUIRE(await_sign(s.path("in 2")));
        const stopped now{m};
        raise_sign(s.path("leave"));
        // Nobody waits for them, so the library's thread takes them, whom others depend on.
        CHECK(eventually([&] { return first.ready() && second.ready(); }));
        for (auto* each : {&first, &second}) {
            const auto error = thrown<coproc::timeout_error>([&] { each->get(); });
            REQUIRE(error);
            CHECK(error->kind() == coproc::timeout_kind::waiting);
            CHECK(std::string{error->what()}.find("does not answer") != std::string::npos);
        }
        auto plain = pool.apply_async([] { return 7; });
        CHECK(eventually([&] { return plain.ready(); }));
        CHECK(plain.get() == 7);
    }
    raise_sign(s.path("leave"));
    CHECK(eventually([&] {
        try {
            return pool.apply(give_back, d, s.path("in 3"), s.path("leave")) == d;
        } catch (const coproc::timeout_error&) {
            return false; // it has not answered yet
        }
    }));
}
