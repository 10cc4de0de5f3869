// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Processes that share a noun are killed at instants that nobody has chosen, again and again, and
// replaced. What must hold does: nobody waits for ever, and nothing is lost but what was in the
// hands of the dead.

#include "support/forked.hpp"
#include "support/pools.hpp"

#include <coproc/coproc.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace coproc_test;

namespace {

/// A few processes that all do the same for ever.
template <class Body>
class mortals {
public:
    mortals(std::size_t n, Body body) : body_{std::move(body)} {
        for (std::size_t i = 0; i != n; ++i)
            all_.push_back(born());
    }

    void kill(std::size_t which) { all_[which].kill(); }
    void replace(std::size_t which) {
        all_[which].kill();
        all_[which] = born();
    }
    void kill_all() {
        for (forked& one : all_)
            one.kill();
    }

private:
    forked born() {
        return forked{[this] {
            for (;;)
                body_();
        }};
    }

    Body body_;
    std::vector<forked> all_;
};

/// Some time that is over before, in, or after what they do.
template <class Random>
void a_moment(Random& random) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::microseconds{random() % 1500};
    std::this_thread::sleep_until(until);
}

} // namespace

TEMPLATE_TEST_CASE("kill at random: a mutex", "[kill]", coproc::mutex, coproc::recursive_mutex) {
    const unsigned seed = GENERATE(1u, 2u);
    CAPTURE(seed);
    std::mt19937 random{seed};

    struct book {
        std::atomic<pid_t> inside;
        std::atomic<long> locked;
        std::atomic<long> intruders;
        std::atomic<long> deaths_told;
    };
    const in_common<book> common;
    const TestType mutex;
    const auto work = [&] {
        try {
            if (common->locked % 2 == 0) {
                mutex.lock();
            } else {
                while (!mutex.try_lock_for(50us)) {}
            }
        } catch (const coproc::owner_died_error&) {
            ++common->deaths_told;
            return;
        }
        common->inside = ::getpid(); // whatever the dead have left there
        ++common->locked;
        if (common->inside.exchange(0) != ::getpid()) ++common->intruders;
        mutex.unlock();
    };
    mortals others{3, work};
    constexpr int kills = 500;
    for (int i = 0; i != kills; ++i) {
        a_moment(random);
        others.replace(random() % 3);
        if (i % 20 != 0) continue;
        const long before = common->locked;
        REQUIRE(eventually([&] { return common->locked != before; }));
    }
    others.kill_all();
    CHECK(common->intruders == 0);
    CHECK(common->deaths_told <= kills);
    bool got = false;
    try {
        got = mutex.try_lock_for(patience);
    } catch (const coproc::owner_died_error&) {
        got = mutex.try_lock();
    }
    REQUIRE(got);
    mutex.unlock();
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEST_CASE("kill at random: the permits of a semaphore", "[kill]") {
    const unsigned seed = GENERATE(1u, 2u);
    CAPTURE(seed);
    std::mt19937 random{seed};

    constexpr int units = 3;
    struct book {
        std::atomic<long> turns;
    };
    const in_common<book> common;
    const coproc::bounded_semaphore semaphore{units};
    const auto work = [&] {
        auto one = semaphore.permit();
        if (auto two = semaphore.try_permit_for(20us)) {
            two->release();
            ++common->turns;
        }
        one.release();
        ++common->turns;
    };
    mortals others{4, work};
    for (int i = 0; i != 500; ++i) {
        a_moment(random);
        others.replace(random() % 4);
        CHECK(semaphore.value() <= units);
        if (i % 20 != 0) continue;
        const long before = common->turns;
        REQUIRE(eventually([&] { return common->turns != before; }));
    }
    others.kill_all();
    std::array<std::optional<coproc::semaphore_permit>, units> all;
    for (auto& one : all) {
        one = semaphore.try_permit_for(patience);
        REQUIRE(one);
    }
    CHECK_FALSE(semaphore.try_acquire());
    for (auto& one : all)
        one.reset();
    CHECK(semaphore.value() == units);
    CHECK_THROWS_AS(semaphore.release(), std::logic_error);
}

TEST_CASE("kill at random: the notifications of a condition", "[kill]") {
    const unsigned seed = GENERATE(1u, 2u);
    CAPTURE(seed);
    std::mt19937 random{seed};

    struct book {
        std::atomic<long> things;
        std::atomic<long> taken;
    };
    const in_common<book> common;
    const coproc::mutex mutex;
    const coproc::condition condition;
    const auto work = [&] {
        // Whoever learns that the owner died looks after what it left, and that is a notification
        // that it had used up.
        try {
            std::unique_lock lock{mutex, std::defer_lock};
            lock.lock();
            try {
                if (common->taken % 2 == 0)
                    condition.wait(lock, [&] { return common->things > 0; });
                else if (!condition.wait_for(lock, 100us, [&] { return common->things > 0; }))
                    return;
            } catch (const coproc::owner_died_error&) {
                lock.release();
                throw;
            }
            --common->things;
            ++common->taken;
        } catch (const coproc::owner_died_error&) {
            condition.notify_all();
        }
    };
    mortals others{3, work};
    const auto lock_at_last = [&] {
        for (;;) {
            try {
                mutex.lock();
                return;
            } catch (const coproc::owner_died_error&) {
                condition.notify_all();
            }
        }
    };
    const auto add = [&](long n) {
        lock_at_last();
        common->things += n;
        mutex.unlock();
        for (long i = 0; i != n; ++i)
            condition.notify_one();
    };
    for (int i = 0; i != 500; ++i) {
        const auto which = random() % 3;
        add(1 + static_cast<long>(random() % 3));
        a_moment(random);
        others.kill(which);
        // The survivors do it all, though its notification may have been the dead one's.
        add(0);
        REQUIRE(eventually([&] { return common->things <= 0; }));
        others.replace(which);
    }
    add(100);
    REQUIRE(eventually([&] { return common->things <= 0; }));
    others.kill_all();
    CHECK(common->things == 0);

    // Nobody waits there any more, and it works on.
    lock_at_last();
    asio::io_context context;
    int notified = 0;
    condition.async_wait(mutex, asio::bind_executor(context, [&](const std::exception_ptr& error) {
                             notified += error ? 0 : 1;
                         }));
    condition.notify_one();
    context.run_for(patience);
    CHECK(notified == 1);
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
}

TEST_CASE("kill at random: a barrier", "[kill]") {
    const unsigned seed = GENERATE(1u, 2u);
    CAPTURE(seed);
    std::mt19937 random{seed};

    struct book {
        std::atomic<long> passed;
        std::atomic<long> wrong;
    };
    const in_common<book> common;
    const coproc::barrier barrier{3};
    const auto work = [&] {
        try {
            if (barrier.wait() >= 3) ++common->wrong;
            ++common->passed;
        } catch (const coproc::broken_barrier_error&) {
            while (barrier.broken())
                std::this_thread::yield();
        }
    };
    mortals others{3, work};
    for (int i = 0; i != 500; ++i) {
        a_moment(random);
        others.replace(random() % 3);
        if (i % 5 != 0) continue;
        // It breaks if one has died in it, and else it does not; after a reset it works again.
        const long before = common->passed;
        REQUIRE(eventually([&] {
            if (barrier.broken()) barrier.reset();
            return common->passed > before + 3;
        }));
    }
    others.kill_all();
    CHECK(common->wrong == 0);
    barrier.reset();
    CHECK(barrier.waiting() == 0);
    const auto come = [&] { return forked{[&] { static_cast<void>(barrier.wait()); }}; };
    auto first = come();
    auto second = come();
    CHECK(barrier.wait(patience) < 3);
    CHECK(first.wait() == 0);
    CHECK(second.wait() == 0);
}

TEST_CASE("kill at random: an event and a latch", "[kill]") {
    const unsigned seed = GENERATE(1u, 2u);
    CAPTURE(seed);
    std::mt19937 random{seed};

    // The one who sets it is killed at that, and those who wait go on if it is set.
    for (int i = 0; i != 200; ++i) {
        const coproc::event event;
        const coproc::latch latch{1};
        asio::io_context context;
        int woken = 0;
        const auto count = [&] {
            return asio::bind_executor(
                context, [&](const std::exception_ptr& error) { woken += error ? 0 : 1; });
        };
        event.async_wait(count());
        latch.async_wait(count());
        forked setter{[&] {
            event.set();
            latch.count_down();
        }};
        const auto until =
            std::chrono::steady_clock::now() + std::chrono::microseconds{random() % 1200};
        while (std::chrono::steady_clock::now() < until && !latch.try_wait()) {}
        setter.kill();
        const int expected = (event.is_set() ? 1 : 0) + (latch.try_wait() ? 1 : 0);
        REQUIRE(eventually([&] {
            context.restart();
            context.poll();
            return woken == expected;
        }));
        event.set();
        if (!latch.try_wait()) latch.count_down();
        context.restart();
        context.run_for(patience);
        REQUIRE(woken == 2);
    }
}
