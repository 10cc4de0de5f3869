// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a death leaves of each noun.

#include "support/forked.hpp"
#include "support/pools.hpp"
#include "support/sanitized.hpp"

#include <coproc/coproc.hpp>

#include <array>
#include <csignal>
#include <mutex>
#include <optional>
#include <sync/barrier_object.hpp>
#include <sync/condition_object.hpp>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace coproc_test;

namespace {

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    for (;;)
        ::pause();
}

/// Runs in a process that dies at the end of it.
template <class Body>
void in_one_that_dies(Body&& body) {
    forked child{[&] {
        body();
        die();
    }};
    REQUIRE(child.wait() == -SIGKILL);
}

} // namespace

// --- mutex, recursive_mutex ----------------------------------------------------------------------

TEMPLATE_TEST_CASE("deaths: a lock's next owner is told once", "", coproc::mutex,
                   coproc::recursive_mutex) {
    const TestType mutex;
    const int form = GENERATE(0, 1, 2);
    CAPTURE(form);
    in_one_that_dies([&] {
        mutex.lock();
        if constexpr (std::is_same_v<TestType, coproc::recursive_mutex>) mutex.lock();
    });
    const auto error = thrown<coproc::owner_died_error>([&] {
        if (form == 0)
            mutex.lock();
        else if (form == 1)
            static_cast<void>(mutex.try_lock());
        else
            static_cast<void>(mutex.try_lock_for(patience));
    });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("half changed"));
    CHECK_THROWS_AS(mutex.unlock(), std::logic_error); // it is not held
    CHECK(mutex.try_lock());
    mutex.unlock();
    const std::scoped_lock works{mutex};
}

TEMPLATE_TEST_CASE("deaths: one who waits for a lock learns of its owner's death", "",
                   coproc::mutex, coproc::recursive_mutex) {
    const TestType mutex;
    const coproc::event locked;
    forked owner{[&] {
        mutex.lock();
        locked.set();
        for (;;)
            ::pause();
    }};
    REQUIRE(locked.wait(patience));
    std::thread killer{[&] { owner.kill(); }};
    CHECK_THROWS_AS(mutex.lock(), coproc::owner_died_error);
    killer.join();
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEST_CASE("deaths: async_lock learns of the owner's death") {
    const coproc::mutex mutex;
    const coproc::event locked;
    forked owner{[&] {
        mutex.lock();
        locked.set();
        for (;;)
            ::pause();
    }};
    REQUIRE(locked.wait(patience));
    asio::io_context context;
    const auto body = [](coproc::mutex m) -> asio::awaitable<void> { co_await m.async_lock(); };
    bool told = false;
    asio::co_spawn(context, body(mutex), [&](const std::exception_ptr& e) {
        try {
            if (e) std::rethrow_exception(e);
        } catch (const coproc::owner_died_error&) {
            told = true;
        }
    });
    context.poll();
    CHECK_FALSE(told);
    owner.kill();
    context.run_for(patience);
    CHECK(told);
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEST_CASE("deaths: only the owner's death counts") {
    const coproc::mutex mutex;
    mutex.lock();
    in_one_that_dies([&] { static_cast<void>(mutex.try_lock()); });
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEST_CASE("deaths: dropping the last handle of a mutex that is held counts as one") {
    coproc::pool pool{on("process", 1)};
    const coproc::mutex mutex;
    pool.apply([](coproc::mutex m) { m.lock(); }, mutex); // its handle goes with its task
    CHECK_THROWS_AS(mutex.lock(), coproc::owner_died_error);
    mutex.lock();
    mutex.unlock();
}

// --- semaphore -----------------------------------------------------------------------------------

TEST_CASE("deaths: permits come back, bare units do not") {
    const coproc::bounded_semaphore units{3};
    in_one_that_dies([&] {
        auto one = units.permit();
        auto two = units.try_permit_for(0s);
        if (two) two->release();
        two = units.try_permit();
        units.acquire();
        if (two) two->release();
    });
    CHECK(units.value() == 2);
    CHECK(units.try_acquire());
    CHECK(units.try_acquire());
    CHECK_FALSE(units.try_acquire());
    units.release(2);
    CHECK(units.value() == 2);
}

TEST_CASE("deaths: one who waits for a unit gets the dead one's permit") {
    const coproc::semaphore units{1};
    const coproc::event taken;
    forked owner{[&] {
        const auto permit = units.permit();
        taken.set();
        for (;;)
            ::pause();
    }};
    REQUIRE(taken.wait(patience));
    CHECK_FALSE(units.try_acquire());
    asio::io_context context;
    bool got = false;
    units.async_acquire(
        asio::bind_executor(context, [&](const std::exception_ptr& e) { got = !e; }));
    std::thread killer{[&] { owner.kill(); }};
    context.run_for(patience);
    CHECK(got);
    killer.join();
    CHECK(units.value() == 0);
}

TEST_CASE("deaths: a permit that was awaited comes back, too") {
    const coproc::semaphore units{0};
    const coproc::event waits;
    const coproc::event taken;
    forked owner{[&] {
        asio::io_context context;
        coproc::semaphore::permit_type held;
        units.async_permit(
            asio::bind_executor(context, [&](const std::exception_ptr& e, auto permit) {
                held = std::move(permit);
                if (!e && held) taken.set();
            }));
        waits.set();
        context.run();
        for (;;)
            ::pause();
    }};
    REQUIRE(waits.wait(patience));
    units.release();
    REQUIRE(taken.wait(patience));
    CHECK(units.value() == 0);
    asio::io_context context;
    coproc::semaphore::permit_type next;
    units.async_permit(asio::bind_executor(
        context, [&](const std::exception_ptr&, auto permit) { next = std::move(permit); }));
    std::thread killer{[&] { owner.kill(); }};
    context.run_for(patience);
    killer.join();
    CHECK(next);
    CHECK(units.value() == 0);
    next.release();
    CHECK(units.value() == 1);
}

TEST_CASE("deaths: one who dies while it waits for a permit has taken nothing") {
    const coproc::semaphore units{0};
    const coproc::event waits;
    forked other{[&] {
        asio::io_context context;
        units.async_permit(asio::bind_executor(context, [](const std::exception_ptr&, auto) {}));
        waits.set();
        for (;;) // its unit would be a completion that nobody runs
            ::pause();
    }};
    REQUIRE(waits.wait(patience));
    units.release();
    other.kill();
    CHECK(units.try_acquire_for(patience));
    CHECK_FALSE(units.try_acquire());
}

TEST_CASE("deaths: a copy of a permit in the child of a fork holds nothing") {
    const coproc::semaphore units{2};
    auto permit = units.permit();
    forked child{[&] {
        const auto own = units.permit();
        permit.release();
        if (units.value() != 0) ::_exit(1);
    }};
    CHECK(child.wait() == 0);
    CHECK(units.try_acquire_for(patience));
    CHECK_FALSE(units.try_acquire());
    permit.release();
    CHECK(units.value() == 1);
}

TEST_CASE("deaths: a permit that would be one too many for a bounded semaphore is nobody's") {
    const coproc::bounded_semaphore units{1};
    in_one_that_dies([&] {
        const auto permit = units.permit();
        units.release(); // somebody's mistake
        die();
    });
    CHECK(units.try_acquire());
    CHECK_FALSE(units.try_acquire());
}

// --- condition -----------------------------------------------------------------------------------

TEST_CASE("deaths: a notification of one who died goes to the next") {
    if (thread_sanitized) return;
    const coproc::mutex mutex;
    const coproc::condition condition;
    const coproc::semaphore here{0};
    const in_common<std::atomic<int>> notified;
    const auto wait = [&] {
        return forked{[&] {
            std::unique_lock lock{mutex};
            here.release();
            condition.wait(lock);
            ++*notified;
        }};
    };
    auto first = wait();
    REQUIRE(here.try_acquire_for(patience));
    mutex.lock(); // so it waits now
    mutex.unlock();
    auto second = wait();
    REQUIRE(here.try_acquire_for(patience));
    mutex.lock();
    SECTION("notified, and without the lock yet") {
        condition.notify_one();
        first.kill();
        mutex.unlock();
    }
    SECTION("stopped, notified, killed") {
        ::kill(first.pid(), SIGSTOP);
        mutex.unlock();
        condition.notify_one();
        first.kill();
    }
    SECTION("not notified when it died") {
        first.kill();
        mutex.unlock();
        condition.notify_one();
    }
    CHECK(second.wait() == 0);
    CHECK(*notified == 1);
}

TEST_CASE("deaths: a wait cannot have a lock back whose owner has died") {
    const coproc::mutex mutex;
    const coproc::condition condition;
    const coproc::event waits;
    const auto notify_and_die = [&] {
        in_one_that_dies([&] {
            mutex.lock();
            condition.notify_one();
        });
    };
    const auto hold_and_wait = [&]() -> asio::awaitable<void> {
        std::unique_lock held{mutex};
        co_await condition.async_wait(held);
    };
    bool abandoned = false;
    SECTION("blocking") {
        bool told = false;
        std::thread other{[&] {
            mutex.lock();
            waits.set();
            try {
                condition.wait(mutex);
            } catch (const coproc::owner_died_error&) {
                told = true;
            }
        }};
        REQUIRE(waits.wait(patience));
        notify_and_die();
        other.join();
        CHECK(told);
    }
    SECTION("awaiting") {
        asio::io_context context;
        std::exception_ptr error;
        mutex.lock();
        condition.async_wait(
            mutex, asio::bind_executor(context, [&](std::exception_ptr e) { error = e; }));
        notify_and_die();
        context.run_for(patience);
        REQUIRE(error);
        CHECK_THROWS_AS(std::rethrow_exception(error), coproc::owner_died_error);
    }
    SECTION("blocking, with a std::unique_lock") {
        bool told = false;
        std::thread other{[&] {
            std::unique_lock held{mutex};
            waits.set();
            try {
                condition.wait(held);
            } catch (const coproc::owner_died_error&) {
                told = !held.owns_lock();
            }
        }};
        REQUIRE(waits.wait(patience));
        notify_and_die();
        other.join();
        CHECK(told);
    }
    SECTION("awaiting, with a std::unique_lock") {
        asio::io_context context;
        bool told = false;
        asio::co_spawn(context, hold_and_wait, [&](const std::exception_ptr& error) {
            CHECK_THROWS_AS(std::rethrow_exception(error), coproc::owner_died_error);
            told = true;
        });
        context.poll();
        notify_and_die();
        context.run_for(patience);
        CHECK(told);
    }
    SECTION("abandoned, with a std::unique_lock") {
        asio::io_context context;
        asio::co_spawn(context, hold_and_wait, asio::detached);
        context.poll();
        notify_and_die();
        abandoned = true;
    }
    try {
        if (!mutex.try_lock_for(patience)) FAIL("it is locked");
    } catch (const coproc::owner_died_error&) {
        CHECK(abandoned); // the wait was gone before it was told
        REQUIRE(mutex.try_lock_for(patience));
    }
    mutex.unlock();
}

TEST_CASE("condition: there is an end of places, and they come back") {
    constexpr std::size_t most = coproc::detail::condition_object::most_places;
    const coproc::mutex mutex;
    const coproc::condition condition;
    asio::io_context context;
    std::size_t woken = 0;
    const auto count = [&] {
        return asio::bind_executor(context, [&](const std::exception_ptr& e) {
            if (e) return;
            ++woken;
            mutex.unlock();
        });
    };
    for (int round = 0; round != 2; ++round) {
        woken = 0;
        for (std::size_t i = 0; i != most; ++i) {
            mutex.lock();
            condition.async_wait(mutex, count());
        }
        mutex.lock();
        const auto error = thrown<std::system_error>([&] { condition.wait(mutex); });
        CHECK(error->code() == std::errc::resource_unavailable_try_again);
        CHECK_FALSE(mutex.try_lock()); // it is still held
        mutex.unlock();
        condition.notify_all();
        context.restart();
        context.run_for(patience);
        REQUIRE(woken == most);
    }
}

// --- event, latch --------------------------------------------------------------------------------

TEST_CASE("deaths: an event and a latch stay as they were left") {
    const coproc::event event;
    const coproc::latch latch{2};
    in_one_that_dies([&] {
        event.set();
        latch.count_down();
    });
    CHECK(event.wait(patience));
    CHECK_FALSE(latch.wait(1ms));
    latch.count_down();
    CHECK(latch.wait(patience));
}

// --- barrier -------------------------------------------------------------------------------------

TEST_CASE("deaths: a barrier breaks when one dies in it") {
    const coproc::barrier barrier{3};
    const auto come = [&] { return forked{[&] { static_cast<void>(barrier.wait()); }}; };
    auto one = come();
    REQUIRE(eventually([&] { return barrier.waiting() == 1; }));
    asio::io_context context;
    std::exception_ptr error;
    SECTION("awaiting") {
        barrier.async_wait(asio::bind_executor(
            context, [&](std::exception_ptr e, std::size_t) { error = std::move(e); }));
        one.kill();
        context.run_for(patience);
        REQUIRE(error);
        CHECK_THROWS_AS(std::rethrow_exception(error), coproc::broken_barrier_error);
    }
    SECTION("blocking") {
        std::thread killer{[&] {
            static_cast<void>(eventually([&] { return barrier.waiting() == 2; }));
            one.kill();
        }};
        CHECK_THROWS_AS(barrier.wait(), coproc::broken_barrier_error);
        killer.join();
    }
    CHECK(barrier.broken());
    CHECK(barrier.waiting() == 0);
    CHECK_THROWS_AS(barrier.wait(), coproc::broken_barrier_error);
    barrier.reset();
    auto two = come();
    auto three = come();
    CHECK(barrier.wait(patience) < 3);
    CHECK(two.wait() == 0);
    CHECK(three.wait() == 0);
}

TEST_CASE("deaths: a barrier breaks when one dies in a later round") {
    const coproc::barrier barrier{2};
    forked other{[&] {
        static_cast<void>(barrier.wait());
        static_cast<void>(barrier.wait());
    }};
    CHECK(barrier.wait(patience) < 2);
    REQUIRE(eventually([&] { return barrier.waiting() == 1; }));
    other.kill();
    SECTION("which the last one learns that comes") {
        CHECK_THROWS_AS(barrier.wait(), coproc::broken_barrier_error);
    }
    SECTION("which can be asked") { CHECK(barrier.waiting() == 0); }
    CHECK(barrier.broken());
}

TEST_CASE("deaths: one who dies after the barrier has not broken it") {
    const coproc::barrier barrier{2};
    forked other{[&] {
        static_cast<void>(barrier.wait());
        die();
    }};
    CHECK(barrier.wait(patience) < 2);
    CHECK(other.wait() == -SIGKILL);
    forked next{[&] { static_cast<void>(barrier.wait()); }};
    CHECK(barrier.wait(patience) < 2);
    CHECK_FALSE(barrier.broken());
    CHECK(next.wait() == 0);
}

TEST_CASE("barrier: one who is slow to look learns how its phase ended") {
    const coproc::barrier barrier{2};
    const in_common<std::atomic<int>> outcome;
    forked slow{[&] {
        try {
            *outcome = barrier.wait() == 0 ? 1 : 2;
        } catch (const coproc::broken_barrier_error&) {
            *outcome = 3;
        }
    }};
    REQUIRE(eventually([&] { return barrier.waiting() == 1; }));
    {
        // And has left the guard, which is not to be stopped with it.
        const coproc::detail::shared::object::guard passed{
            *coproc::detail::handle_access::object(barrier)};
    }
    ::kill(slow.pid(), SIGSTOP);
    const bool complete = GENERATE(true, false);
    CAPTURE(complete);
    if (complete)
        CHECK(barrier.wait(patience) == 1);
    else
        barrier.reset();
    for (int i = 0; i != 1000; ++i) {
        if (i % 2 == 0) barrier.abort();
        barrier.reset();
    }
    ::kill(slow.pid(), SIGCONT);
    CHECK(slow.wait() == 0);
    CHECK(*outcome == (complete ? 1 : 3));
}
