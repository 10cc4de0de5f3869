// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <mutex>
#include <thread>

using namespace coproc_test;

TEMPLATE_TEST_CASE("condition: timed waits have the lock again", "", CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    std::unique_lock lock{mutex};
    CHECK_FALSE(condition.wait_for(lock, 0s));
    CHECK_FALSE(condition.wait_for(lock, 1ms));
    CHECK_FALSE(condition.wait_for(mutex, 1ms));
    CHECK_FALSE(condition.wait_for(lock, 1ms, [] { return false; }));
    CHECK(condition.wait_for(lock, 0s, [] { return true; }));
    CHECK_FALSE(condition.wait(lock, 1ms));
    CHECK_FALSE(condition.wait(lock, 1ms, [] { return false; }));
    CHECK(condition.wait(lock, 0s, [] { return true; }));
    condition.wait(lock, [] { return true; });
    condition.wait(mutex, [] { return true; });
    CHECK(lock.owns_lock());
    CHECK_FALSE(mutex.try_lock());
    lock.unlock();

    typename TestType::recursive_mutex recursive;
    const std::scoped_lock outer{recursive};
    std::unique_lock inner{recursive};
    CHECK_FALSE(condition.wait_for(inner, 1ms));
    CHECK_FALSE(condition.wait_for(recursive, 1ms));
    CHECK_FALSE(condition.wait_for(recursive, 1ms, [] { return false; }));
}

TEMPLATE_TEST_CASE("condition: waiting without the lock is a logic_error", "",
                   CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    CHECK_THROWS_AS(condition.wait(mutex), std::logic_error);
    CHECK_THROWS_AS(condition.wait_for(mutex, 1ms), std::logic_error);
    std::unique_lock lock{mutex, std::defer_lock};
    CHECK_THROWS_AS(condition.wait(lock), std::logic_error);
    CHECK_THROWS_AS(condition.wait_for(lock, 1ms, [] { return false; }), std::logic_error);
    std::unique_lock<typename TestType::mutex> none;
    CHECK_THROWS_AS(condition.wait(none), std::logic_error);
    typename TestType::recursive_mutex recursive;
    CHECK_THROWS_AS(condition.wait(recursive), std::logic_error);
    recursive.lock();
    std::thread{[&] { CHECK_THROWS_AS(condition.wait(recursive), std::logic_error); }}.join();
    recursive.unlock();
    event_loop context;
    watched waits{context};
    condition.async_wait(mutex, waits.token());
    CHECK_THROWS_AS(waits.get(), std::logic_error);
    CHECK(mutex.try_lock());
    mutex.unlock();
    CHECK_THROWS_AS(condition.notify_n(-1), std::invalid_argument);
}

namespace {

/// Asynchronous waits on one condition, begun one after the other.
template <class Vocabulary>
struct line {
    line(asio::io_context& context, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            mutex.lock();
            waits.push_back(std::make_unique<watched<>>(context));
            condition.async_wait(mutex, waits.back()->token());
        }
    }
    /// Which have completed; each of them has the mutex when its turn comes, and gives it back.
    std::string done() {
        std::string marks(waits.size(), '-');
        for (bool again = true; std::exchange(again, false);)
            for (std::size_t i = 0; i < waits.size(); ++i)
                if (!unlocked[i] && waits[i]->done()) {
                    waits[i]->get();
                    CHECK_FALSE(mutex.try_lock());
                    mutex.unlock();
                    unlocked[i] = again = true;
                }
        for (std::size_t i = 0; i < waits.size(); ++i)
            marks[i] = unlocked[i] ? 'x' : '-';
        return marks;
    }

    typename Vocabulary::condition condition;
    typename Vocabulary::mutex mutex;
    std::vector<std::unique_ptr<watched<>>> waits;
    std::array<bool, 8> unlocked{};
};

} // namespace

TEMPLATE_TEST_CASE("condition: those who came first are notified, exactly as many as it says", "",
                   CONDITION_VOCABULARIES) {
    event_loop context;
    line<TestType> waiting{context, 8};
    const auto& condition = waiting.condition;
    const auto until = [&](const std::string& marks) {
        return eventually([&] { return waiting.done() == marks; });
    };
    CHECK(waiting.done() == "--------");
    condition.notify_one();
    CHECK(until("x-------"));
    condition.notify();
    CHECK(until("xx------"));
    condition.notify_n(0);
    condition.notify_n(2);
    CHECK(until("xxxx----"));
    condition.notify(std::size_t{1});
    CHECK(until("xxxxx---"));
    condition.notify_all();
    CHECK(until("xxxxxxxx"));
    condition.notify_one(); // nobody waits: it is not remembered
    const std::scoped_lock lock{waiting.mutex};
    CHECK_FALSE(condition.wait_for(waiting.mutex, 1ms));
}

TEMPLATE_TEST_CASE("condition: no notification goes to one who has given up", "",
                   CONDITION_VOCABULARIES) {
    event_loop context;
    line<TestType> waiting{context, 3};
    waiting.waits[0]->cancel();
    CHECK_THROWS_AS(waiting.waits[0]->get(), coproc::cancelled_error);
    CHECK_FALSE(waiting.mutex.try_lock()); // one who is cancelled has it, too
    waiting.mutex.unlock();
    waiting.unlocked[0] = true;
    waiting.mutex.lock();
    CHECK_FALSE(waiting.condition.wait_for(waiting.mutex, 1ms));
    waiting.mutex.unlock();
    waiting.condition.notify_one();
    CHECK(eventually([&] { return waiting.done() == "xx-"; }));
    waiting.condition.notify_one();
    CHECK(eventually([&] { return waiting.done() == "xxx"; }));
}

TEMPLATE_TEST_CASE("condition: a notification that came with a cancellation goes to the next", "",
                   CONDITION_VOCABULARIES) {
    event_loop context;
    line<TestType> waiting{context, 2};
    waiting.condition.notify_one();
    waiting.waits[0]->cancel();
    try {
        waiting.waits[0]->get();
        waiting.condition.notify_one();
    } catch (const coproc::cancelled_error&) {}
    CHECK_FALSE(waiting.mutex.try_lock());
    waiting.mutex.unlock();
    waiting.unlocked[0] = true;
    CHECK(eventually([&] { return waiting.done() == "xx"; }));
}

TEMPLATE_TEST_CASE("condition: a cancelled wait ends when it has the lock", "",
                   CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    event_loop context;
    watched waits{context};
    mutex.lock();
    condition.async_wait(mutex, waits.token());
    REQUIRE(mutex.try_lock_for(patience));
    waits.cancel();
    CHECK_FALSE(waits.done());
    mutex.unlock();
    CHECK_THROWS_AS(waits.get(), coproc::cancelled_error);
    CHECK_FALSE(mutex.try_lock());
    mutex.unlock();
}

TEMPLATE_TEST_CASE("condition: a recursive mutex is let go of completely, and had again as before",
                   "", CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    const typename TestType::recursive_mutex mutex;
    const typename TestType::template shared_array<int> flag{1};
    typename TestType::crew crew{1};
    coproc::async_result<void> other;
    {
        const std::scoped_lock outer{mutex};
        const std::scoped_lock inner{mutex};
        other = crew.apply_async(
            [](typename TestType::condition c, typename TestType::recursive_mutex m,
               typename TestType::template shared_array<int> f) {
                const std::scoped_lock lock{m};
                f[0] = 1;
                c.notify_one();
            },
            condition, mutex, flag);
        condition.wait(mutex, [&] { return flag[0] == 1; });
        std::thread{[&] { CHECK_FALSE(mutex.try_lock()); }}.join();
        mutex.unlock();
        std::thread{[&] { CHECK_FALSE(mutex.try_lock()); }}.join();
        mutex.lock();
    }
    std::thread{[&] {
        REQUIRE(mutex.try_lock_for(patience));
        mutex.unlock();
    }}.join();
    result_of(other);
}

TEMPLATE_TEST_CASE("condition: producers and consumers, blocking, timed and awaiting", "",
                   CONDITION_VOCABULARIES) {
    constexpr int items = 300;
    const typename TestType::condition condition;
    const typename TestType::mutex mutex;
    const typename TestType::template shared_array<int> state{2}; // there are, were taken
    typename TestType::crew crew{4};
    std::vector<coproc::async_result<int>> consumers;
    const auto consume = [](typename TestType::condition c, typename TestType::mutex m,
                            typename TestType::template shared_array<int> s, bool timed) {
        int taken = 0;
        std::unique_lock lock{m};
        for (;;) {
            const auto ready = [&] { return s[0] > 0 || s[1] == 3 * items; };
            if (timed)
                while (!c.wait_for(lock, 100us, ready)) {}
            else
                c.wait(lock, ready);
            if (s[0] == 0) return taken;
            --s[0];
            ++taken;
            if (++s[1] == 3 * items) c.notify_all();
        }
    };
    consumers.push_back(crew.apply_async(consume, condition, mutex, state, false));
    consumers.push_back(crew.apply_async(consume, condition, mutex, state, true));
    std::vector<coproc::async_result<void>> producers;
    for (int i = 0; i < 2; ++i)
        producers.push_back(crew.apply_async(
            [](typename TestType::condition c, typename TestType::mutex m,
               typename TestType::template shared_array<int> s) {
                for (int k = 0; k < items; ++k) {
                    const std::scoped_lock lock{m};
                    ++s[0];
                    c.notify_one();
                }
            },
            condition, mutex, state));
    event_loop context;
    asio::co_spawn(
        context,
        [](typename TestType::condition c, typename TestType::mutex m,
           typename TestType::template shared_array<int> s) -> asio::awaitable<void> {
            for (int k = 0; k < items; ++k) {
                co_await m.async_lock();
                ++s[0];
                m.unlock();
                c.notify_one();
                co_await asio::post(asio::use_awaitable);
            }
        }(condition, mutex, state),
        asio::detached);
    int awaited = 0;
    asio::co_spawn(
        context,
        [](typename TestType::condition c, typename TestType::mutex m,
           typename TestType::template shared_array<int> s, int& taken) -> asio::awaitable<void> {
            co_await m.async_lock();
            std::unique_lock lock{m, std::adopt_lock};
            for (;;) {
                while (s[0] == 0 && s[1] != 3 * items)
                    co_await c.async_wait(lock);
                if (s[0] == 0) break;
                --s[0];
                ++taken;
                if (++s[1] == 3 * items) c.notify_all();
            }
        }(condition, mutex, state, awaited),
        asio::detached);
    context.run_for(patience);
    CHECK(context.stopped());
    int taken = awaited;
    for (auto& consumer : consumers)
        taken += result_of(consumer);
    all_end(producers);
    CHECK(taken == 3 * items);
}

TEMPLATE_TEST_CASE("condition: an asynchronous wait for a predicate", "", CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    int state = 0;
    event_loop context;
    mutex.lock();
    SECTION("that holds at once") {
        watched waits{context};
        condition.async_wait(mutex, [] { return true; }, waits.token());
        CHECK_NOTHROW(waits.get());
    }
    SECTION("after some notifications, of which most are too early") {
        watched waits{context};
        std::vector<int> seen;
        condition.async_wait(
            mutex,
            [&] {
                seen.push_back(state);
                return state == 3;
            },
            waits.token());
        for (int i = 1; i <= 3; ++i) {
            mutex.lock();
            state = i;
            mutex.unlock();
            condition.notify_one();
            CHECK(eventually([&] { return waits.done() || seen.back() == i; }));
            CHECK(waits.done() == (i == 3));
        }
        CHECK(seen == std::vector{0, 1, 2, 3});
        CHECK_NOTHROW(waits.get());
    }
    SECTION("that throws") {
        watched waits{context};
        condition.async_wait(mutex, []() -> bool { throw std::out_of_range{"no"}; }, waits.token());
        CHECK_THROWS_AS(waits.get(), std::out_of_range);
    }
    SECTION("that is cancelled") {
        watched waits{context};
        int asked = 0;
        condition.async_wait(mutex, [&] { return ++asked == 3; }, waits.token());
        condition.notify_one();
        CHECK(eventually([&] { return waits.done() || asked == 2; }));
        waits.cancel();
        CHECK_THROWS_AS(waits.get(), coproc::cancelled_error);
        CHECK(asked == 2);
    }
    SECTION("in a coroutine") {
        bool over = false;
        asio::co_spawn(
            context,
            [](typename TestType::condition c, typename TestType::mutex& m, int& s,
               bool& end) -> asio::awaitable<void> {
                std::unique_lock held{m, std::adopt_lock};
                auto wait = c.async_wait(held, [&s] { return s == 1; });
                co_await std::move(wait);
                end = held.owns_lock();
                held.release();
            }(condition, mutex, state, over),
            asio::detached);
        context.poll();
        mutex.lock();
        state = 1;
        mutex.unlock();
        condition.notify_all();
        context.run_for(patience);
        CHECK(over);
    }
    CHECK_FALSE(mutex.try_lock()); // it is held whatever came of it
    mutex.unlock();

    typename TestType::mutex other;
    watched waits{context};
    condition.async_wait(other, [] { return false; }, waits.token());
    CHECK_THROWS_AS(waits.get(), std::logic_error);
}
