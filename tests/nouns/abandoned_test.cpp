// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Operations whose event loop is destroyed while they wait, or before their handlers have run: they
// take nothing with them.

#include "support/managers.hpp"
#include "support/vocabularies.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

using namespace coproc_test;

namespace {

/// Starts an operation on a loop that never runs. `supply` is called before the loop is destroyed,
/// so that the operation may have got what it waits for, or after that.
template <class Start, class Supply>
void abandon(Start&& start, Supply&& supply) {
    const bool before = GENERATE(true, false);
    CAPTURE(before);
    bool called = false;
    {
        asio::io_context context;
        start(asio::bind_executor(
            context, [&called](const std::exception_ptr&, auto&&...) { called = true; }));
        if (before) supply();
    }
    if (!before) supply();
    CHECK_FALSE(called);
}

} // namespace

TEMPLATE_TEST_CASE("an abandoned async_acquire", "", SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{0};
    abandon([&](auto token) { units.async_acquire(std::move(token)); }, [&] { units.release(); });
    CHECK(units.try_acquire_for(patience));
    CHECK(units.value() == 0);
}

TEMPLATE_TEST_CASE("an async_acquire that had its unit when it was abandoned", "",
                   SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{1};
    abandon([&](auto token) { units.async_acquire(std::move(token)); },
            [&] { CHECK(units.value() <= 1); });
    CHECK(units.try_acquire_for(patience));
    CHECK_FALSE(units.try_acquire());
}

TEMPLATE_TEST_CASE("an abandoned async_permit", "", SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{0};
    abandon([&](auto token) { units.async_permit(std::move(token)); }, [&] { units.release(); });
    CHECK(units.try_acquire_for(patience));
    CHECK(units.value() == 0);
}

TEMPLATE_TEST_CASE("an abandoned async_lock", "", MUTEX_VOCABULARIES) {
    const typename TestType::mutex mutex;
    mutex.lock();
    abandon([&](auto token) { mutex.async_lock(std::move(token)); }, [&] { mutex.unlock(); });
    CHECK(mutex.try_lock_for(patience));
    mutex.unlock();
}

TEMPLATE_TEST_CASE("an abandoned async_wait for a condition", "", CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    event_loop context;
    SECTION("its lock is not taken again, and a notification goes to another one") {
        mutex.lock();
        abandon([&](auto token) { condition.async_wait(mutex, std::move(token)); }, [] {});
        CHECK(mutex.try_lock_for(patience));
        watched other{context};
        condition.async_wait(mutex, other.token());
        condition.notify_one();
        other.get();
    }
    SECTION("nor when it has been notified, and waits for its lock") {
        mutex.lock();
        watched other{context};
        {
            asio::io_context gone;
            condition.async_wait(mutex,
                                 asio::bind_executor(gone, [](const std::exception_ptr&) {}));
            mutex.lock();
            condition.async_wait(mutex, other.token());
            mutex.lock();
            condition.notify_one();
        }
        mutex.unlock();
        other.get();
    }
    mutex.unlock();
    CHECK(mutex.try_lock_for(patience));
    mutex.unlock();
}

TEMPLATE_TEST_CASE("a std::unique_lock in a coroutine that is destroyed in a wait", "",
                   CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    const bool notified = GENERATE(false, true);
    const bool runs = GENERATE(false, true);
    CAPTURE(notified, runs);
    {
        asio::io_context context;
        asio::co_spawn(
            context,
            [&]() -> asio::awaitable<void> {
                std::unique_lock held{mutex};
                co_await condition.async_wait(held);
                co_await condition.async_wait(held);
            },
            asio::detached);
        context.poll();
        if (notified) condition.notify_one();
        if (runs) context.poll(); // perhaps it has its lock, and waits once more
    }
    CHECK(mutex.try_lock_for(patience));
    mutex.unlock();
}

TEMPLATE_TEST_CASE("a std::unique_lock is let alone once its abandoned wait's handler has gone", "",
                   CONDITION_VOCABULARIES) {
    const typename TestType::condition condition;
    typename TestType::mutex mutex;
    std::optional<std::unique_lock<typename TestType::mutex>> held{std::in_place, mutex};
    {
        asio::io_context context;
        std::shared_ptr<void> end{nullptr, [&](void*) { held.emplace(mutex); }}; // in its place
        condition.async_wait(
            *held, asio::bind_executor(context, [end = std::move(end)](std::exception_ptr) {}));
    }
    CHECK(held->owns_lock());
}

TEMPLATE_TEST_CASE("an abandoned async_get", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<std::string> queue;
    abandon([&](auto token) { queue.async_get(std::move(token)); }, [&] { queue.put("one"); });
    queue.put("two");
    CHECK(queue.get(patience) == "one");
    CHECK(queue.get(patience) == "two");
}

TEMPLATE_TEST_CASE("an abandoned async_put", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<std::string> queue{1};
    queue.put("one");
    abandon([&](auto token) { queue.async_put("two", std::move(token)); },
            [&] { CHECK(queue.get(patience) == "one"); });
    try {
        const auto put_in_time = queue.get(0ms);
        CHECK(put_in_time == "two");
    } catch (const coproc::queue_empty_error&) {}
    queue.put("three", patience);
    CHECK(queue.get(patience) == "three");
}

TEMPLATE_TEST_CASE("an abandoned async_recv", "", PIPE_VOCABULARIES) {
    auto [here, there] = TestType::template pipe<std::string>();
    abandon([&end = here](auto token) { end.async_recv(std::move(token)); },
            [&end = there] { end.send("one"); });
    CHECK(here.recv(patience) == "one");
}

TEMPLATE_TEST_CASE("an abandoned wait for a manager's object", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    SECTION("a queue's element") {
        const auto queue = m.template queue<std::string>();
        abandon([&](auto token) { queue.async_get(std::move(token)); }, [&] { queue.put("one"); });
        CHECK(queue.get(patience) == "one");
    }
    SECTION("a semaphore's unit") {
        const auto units = m.semaphore(0);
        abandon([&](auto token) { units.async_acquire(std::move(token)); },
                [&] { units.release(); });
        CHECK(units.try_acquire_for(patience));
    }
    SECTION("a lock") {
        const auto mutex = m.mutex();
        mutex.lock();
        abandon([&](auto token) { mutex.async_lock(std::move(token)); }, [&] { mutex.unlock(); });
        CHECK(mutex.try_lock_for(patience));
        mutex.unlock();
    }
}

TEMPLATE_TEST_CASE("a coroutine that waits when its loop is destroyed", "",
                   SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{0};
    {
        asio::io_context context;
        asio::co_spawn(
            context,
            [units]() -> asio::awaitable<void> {
                co_await units.async_acquire();
                co_await units.async_acquire();
            },
            asio::detached);
        units.release();
        context.poll();
    }
    // It has had one, perhaps, and goes without the second one.
    units.release();
    CHECK(units.try_acquire_for(patience));
}
