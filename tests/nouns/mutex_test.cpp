// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <mutex>

#include "support/vocabularies.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <thread>

using namespace coproc_test;

TEMPLATE_TEST_CASE("mutex: a handle, whose copies are one lock", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    const auto same = mutex;
    const typename TestType::mutex other;
    mutex.lock();
    CHECK_FALSE(same.try_lock());
    CHECK(other.try_lock());
    same.unlock();
    CHECK(mutex.try_lock());
    mutex.unlock();
    other.unlock();

    auto kept = same;
    const auto moved = std::move(kept);
    moved.lock();
    CHECK_FALSE(mutex.try_lock());
    moved.unlock();
}

TEMPLATE_TEST_CASE("mutex: it fits the standard's locks", "", MUTEX_VOCABULARIES) {
    typename TestType::mutex a;
    typename TestType::mutex b;
    {
        const std::scoped_lock both{a, b};
        CHECK_FALSE(a.try_lock());
        CHECK_FALSE(b.try_lock());
    }
    {
        std::unique_lock lock{a};
        CHECK(lock.owns_lock());
        lock.unlock();
        CHECK(lock.try_lock());
        std::unique_lock other{a, std::try_to_lock};
        CHECK_FALSE(other.owns_lock());
        CHECK_FALSE(other.try_lock_for(1ms));
        lock.unlock();
        CHECK(other.try_lock_for(1h));
        other.unlock();
        const std::unique_lock in_time{a, std::chrono::steady_clock::now() + 1h};
        CHECK(in_time.owns_lock());
    }
    CHECK(a.try_lock());
    a.unlock();
}

TEMPLATE_TEST_CASE("mutex: timed attempts", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    CHECK(mutex.try_lock_for(0s));
    CHECK_FALSE(mutex.try_lock_for(0s));
    CHECK_FALSE(mutex.try_lock_for(-1s));
    CHECK_FALSE(mutex.try_lock_for(2ms));
    CHECK_FALSE(mutex.try_lock_for(0.002s * 0.5));
    CHECK_FALSE(mutex.try_lock_until(std::chrono::steady_clock::now() - 1h));
    CHECK_FALSE(mutex.try_lock_until(std::chrono::steady_clock::now() + 1ms));
    mutex.unlock();
    CHECK(mutex.try_lock_for(std::chrono::hours::max()));
    mutex.unlock();
    CHECK(mutex.try_lock_until(std::chrono::steady_clock::now() - 1h)); // it is free
    mutex.unlock();
    const std::unique_lock lock{mutex, std::chrono::system_clock::now() + 1h}; // any clock
    CHECK(lock.owns_lock());
    CHECK_FALSE(mutex.try_lock_until(
        std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::steady_clock::now())));
}

TEMPLATE_TEST_CASE("mutex: unlock of one that is not held is a logic_error", "",
                   MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    const auto error = thrown<std::logic_error>([&] { mutex.unlock(); });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("unlock of a mutex"));
    CHECK(mutex.try_lock());
    mutex.unlock();
    CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEMPLATE_TEST_CASE("mutex: the owner is the process, not the thread", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    std::thread{[mutex] { mutex.lock(); }}.join();
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
    mutex.lock();
    std::thread{[mutex] { mutex.unlock(); }}.join();
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEMPLATE_TEST_CASE("mutex: a lock waits for the other's unlock", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    const typename TestType::event locked;
    const typename TestType::event leave;
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](typename TestType::mutex m, typename TestType::event in, typename TestType::event out) {
            const std::scoped_lock lock{m};
            in.set();
            out.wait(patience);
        },
        mutex, locked, leave);
    REQUIRE(locked.wait(patience));
    CHECK_FALSE(mutex.try_lock());
    CHECK_FALSE(mutex.try_lock_for(1ms));
    leave.set();
    mutex.lock();
    mutex.unlock();
    result_of(other);
}

TEMPLATE_TEST_CASE("mutex: parties keep each other out", "", MUTEX_VOCABULARIES) {
    constexpr int parties = 4;
    constexpr int rounds = 1000;
    const typename TestType::mutex mutex;
    const typename TestType::template shared_array<long> counts{2};
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<void>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::mutex m, typename TestType::template shared_array<long> n,
               int times) {
                for (int k = 0; k < times; ++k) {
                    if (k % 3 == 0) {
                        while (!m.try_lock_for(1ms)) {}
                    } else if (k % 3 == 1) {
                        m.lock();
                    } else {
                        while (!m.try_lock())
                            std::this_thread::yield();
                    }
                    ++n[0];
                    n[1] = n[0];
                    m.unlock();
                }
            },
            mutex, counts, rounds));
    all_end(others);
    CHECK(counts[0] == parties * rounds);
    CHECK(counts[1] == parties * rounds);
}

TEMPLATE_TEST_CASE("mutex: async_lock", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    event_loop context;
    watched free{context};
    mutex.async_lock(free.token());
    free.get();
    CHECK_FALSE(mutex.try_lock());

    watched first{context};
    watched second{context};
    watched third{context};
    mutex.async_lock(first.token());
    mutex.async_lock(second.token());
    mutex.async_lock(third.token());
    const auto held = [&] { return int{first.done()} + int{second.done()} + int{third.done()}; };
    CHECK(held() == 0);
    for (int n = 1; n <= 3; ++n) { // to one after the other
        mutex.unlock();
        CHECK(eventually([&] { return held() == n; }));
        CHECK_FALSE(mutex.try_lock());
        CHECK(held() == n);
    }
    mutex.unlock();
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEMPLATE_TEST_CASE("mutex: async_lock in a coroutine does not block its thread", "",
                   MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    mutex.lock();
    event_loop context;
    int steps = 0;
    auto body = [](typename TestType::mutex m, int& n) -> asio::awaitable<void> {
        co_await m.async_lock();
        const std::unique_lock lock{m, std::adopt_lock};
        ++n;
        co_await asio::post(asio::use_awaitable);
        ++n;
    };
    asio::co_spawn(context, body(mutex, steps), asio::detached);
    asio::co_spawn(context, body(mutex, steps), asio::detached);
    context.poll();
    CHECK(steps == 0);
    mutex.unlock();
    context.restart();
    context.run_for(patience);
    CHECK(steps == 4);
    CHECK(mutex.try_lock());
    mutex.unlock();
    // The operation starts when its token says so.
    auto later = mutex.async_lock();
    CHECK(mutex.try_lock());
    mutex.unlock();
    std::move(later)(asio::use_future).get();
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
}

TEMPLATE_TEST_CASE("mutex: a cancelled async_lock does not hold it", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    event_loop context;
    mutex.lock();
    watched first{context};
    watched second{context};
    mutex.async_lock(first.token());
    mutex.async_lock(second.token());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    CHECK_FALSE(second.done());
    mutex.unlock();
    second.get();
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
    CHECK(mutex.try_lock());

    // At any moment: it has been handed the mutex, or another gets it.
    watched late{context};
    watched next{context};
    mutex.async_lock(late.token());
    mutex.async_lock(next.token());
    mutex.unlock();
    late.cancel();
    try {
        late.get();
        CHECK_FALSE(next.done());
        mutex.unlock();
    } catch (const coproc::cancelled_error&) {}
    next.get();
    mutex.unlock();
    CHECK(mutex.try_lock_for(patience));
    mutex.unlock();
}

TEMPLATE_TEST_CASE("mutex: threads, coroutines, timeouts and cancellation at once", "",
                   MUTEX_VOCABULARIES) {
    using namespace asio::experimental::awaitable_operators;
    const auto seed = GENERATE(1U, 2U, 3U);
    CAPTURE(seed);
    const typename TestType::mutex mutex;
    const typename TestType::template shared_array<long> counts{2};
    typename TestType::crew crew{2};
    std::vector<coproc::async_result<long>> others;
    for (std::uint32_t i = 0; i < 2; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::mutex m, typename TestType::template shared_array<long> n,
               std::uint32_t own_seed) {
                long times = 0;
                for (std::uint32_t k = 0; k < 300; ++k) {
                    if (!m.try_lock_for(std::chrono::microseconds{mixed(own_seed, k) % 300}))
                        continue;
                    ++n[0];
                    ++times;
                    m.unlock();
                }
                return times;
            },
            mutex, counts, mixed(seed, i)));
    long times = 0;
    event_loop context;
    auto body = [](typename TestType::mutex m, typename TestType::template shared_array<long> n,
                   std::uint32_t own_seed, long& sum) -> asio::awaitable<void> {
        asio::steady_timer timer{co_await asio::this_coro::executor};
        for (std::uint32_t k = 0; k < 100; ++k) {
            timer.expires_after(std::chrono::microseconds{mixed(own_seed, k) % 200});
            auto which = co_await (m.async_lock(asio::use_awaitable) ||
                                   timer.async_wait(asio::use_awaitable));
            if (which.index() != 0) continue;
            ++n[0];
            ++sum;
            if (k % 2 == 0) co_await asio::post(asio::use_awaitable);
            m.unlock();
        }
    };
    for (std::uint32_t i = 0; i < 4; ++i)
        asio::co_spawn(context, body(mutex, counts, mixed(seed, 10 + i), times), asio::detached);
    context.run_for(patience);
    CHECK(context.stopped());
    for (auto& other : others)
        times += result_of(other);
    REQUIRE(mutex.try_lock_for(patience));
    CHECK(counts[0] == times);
    mutex.unlock();
}
