// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What the nouns do only between threads: they take what cannot be sent, they serve in turn, and
// nothing that was handed to one who is cancelled is lost. tests/nouns has what all have in common.

#include "support/vocabularies.hpp"

#include <coproc/dummy.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

namespace {

using namespace coproc_test;
namespace mp = coproc::dummy;

/// Cannot be sent, copied, or made from nothing.
class token {
public:
    explicit token(int value) : value_{std::make_unique<int>(value)} {}
    [[nodiscard]] int value() const { return *value_; }

private:
    std::unique_ptr<int> value_;
};

} // namespace

// The names that do not depend on where work runs are there, too.
static_assert(mp::sendable<int> && !mp::sendable<int*>);
static_assert(mp::job_callable<int (*)(int), int>);
static_assert(std::is_same_v<mp::travel_t<int>, int>);
static_assert(std::is_same_v<mp::asio::io_context, boost::asio::io_context>);
static_assert(std::is_same_v<mp::codec<int>, coproc::codec<int>>);

TEST_CASE("dummy::queue takes what cannot be sent") {
    const mp::queue<std::thread> threads;
    std::atomic<int> ran{0};
    threads.put(std::thread{[&] { ++ran; }});
    CHECK(threads.try_put(std::thread{[&] { ++ran; }}));
    event_loop context;
    watched<std::thread> third{context};
    threads.get().join();
    threads.try_get()->join();
    threads.async_get(third.token());
    threads.put(std::thread{[&] { ++ran; }}, 1h);
    third.get().join();
    CHECK(ran == 3);

    const mp::queue<std::function<int()>> work;
    work.put([&ran] { return ++ran; });
    CHECK(work.get()() == 4);

    const mp::queue<token> tokens{1};
    tokens.put(token{5});
    token refused{6};
    CHECK_FALSE(tokens.try_put(std::move(refused)));
    CHECK(refused.value() == 6); // NOLINT(bugprone-use-after-move): that is what it promises
    CHECK_THROWS_AS(tokens.put(token{7}, 1ms), coproc::queue_full_error);
    watched put{context};
    tokens.async_put(token{8}, put.token());
    CHECK(tokens.get(1h).value() == 5);
    put.get();
    CHECK(tokens.get().value() == 8);

    const mp::queue<int*> pointers;
    int here = 0;
    pointers.put(&here);
    CHECK(pointers.get() == &here);
    CHECK(mp::queue<int>{-3}.maxsize() == 0);
}

TEST_CASE("dummy::pipe takes what cannot be sent, up to its bound") {
    auto [a, b] = mp::pipe<token, std::function<void()>>();
    a.send(token{1});
    CHECK(b.recv().value() == 1);
    int called = 0;
    b.send([&called] { ++called; });
    a.recv(1h)();
    CHECK(called == 1);

    auto [in, out] = mp::pipe<int>();
    for (int i = 0; i < 65'536; ++i)
        in.send(i, 0s);
    CHECK_THROWS_AS(in.send(0, 0s), coproc::timeout_error);
    CHECK(out.recv() == 0);
    in.send(0, 0s);
}

TEST_CASE("dummy: shared objects may be of any type") {
    const mp::shared_value<std::string> text{"a"};
    CHECK(text.exchange("b") == "a");
    *text.lock() += "c";
    CHECK(text.load() == "bc");
    std::string expected = "x";
    CHECK_FALSE(text.compare_exchange_strong(expected, "y"));
    CHECK(expected == "bc");
    CHECK(text.compare_exchange_strong(expected, "y"));
    CHECK(text.load() == "y");
    CHECK(mp::shared_value<std::string>{}.load().empty());

    const mp::shared_array<std::string> texts({"one", "two"});
    texts[0] += '!';
    CHECK(texts.at(0) == "one!");
    CHECK(mp::shared_array<std::string>(3, "x")[2] == "x");
    CHECK(mp::shared_array<std::unique_ptr<int>>{2}[1] == nullptr);
}

TEST_CASE("dummy::shared_array: elements that memory does not suffice for") {
    struct hungry {
        hungry() { throw std::bad_alloc{}; }
    };
    CHECK_THROWS_AS(mp::shared_array<hungry>{2}, std::length_error);
}

TEST_CASE("dummy::manager: any manager publishes what any has made") {
    const mp::manager one;
    const mp::manager other;
    const auto numbers = one.list<int>();
    other.publish("numbers", numbers);
    CHECK(other.find<mp::list_proxy<int>>("numbers") == numbers);
}

TEST_CASE("dummy: what fits as it is stays as it is") {
    struct keeper {
        explicit keeper(std::string_view text) : at{text.data()} {}
        [[nodiscard]] bool same(std::string_view text) const { return text.data() == at; }
        const char* at;
    };
    const std::string text = "abc";
    const std::string_view view = text;
    const mp::manager m;
    const auto made = m.make<keeper>(view);
    CHECK(made.call(&keeper::same, view));
    CHECK(made.within(patience).call(&keeper::same, view));
    event_loop context;
    watched<mp::object_proxy<keeper>> later{context};
    m.async_make<keeper>(view, later.token());
    CHECK(later.get().call(&keeper::same, view));
    bool same = false;
    mp::process p{[&](std::string_view arrived) { same = arrived.data() == text.data(); }, view};
    p.start();
    p.join();
    CHECK(same);
}

TEST_CASE("dummy::shared_value: operations wait for those who hold the lock") {
    const mp::shared_value<long> value;
    {
        const auto outer = value.lock();
        const auto inner = value.lock(); // a thread's own lock does not stop it
        value.fetch_add(1);
        ++*inner;
        value.store(value.load() + 1);
        CHECK(*outer == 3);
        value.store(0);
    }
    std::vector<std::thread> others;
    for (int i = 0; i < 3; ++i)
        others.emplace_back([value, i] {
            for (int k = 0; k < 2000; ++k) {
                if (i == 0) {
                    value.fetch_add(1);
                } else {
                    const auto held = value.lock();
                    *held = *held + 1;
                }
            }
        });
    for (auto& other : others)
        other.join();
    CHECK(value.load() == 6000);
}

TEST_CASE("dummy: handles do not leave the program") {
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::mutex>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::recursive_mutex>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::semaphore>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::bounded_semaphore>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::condition>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::event>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::barrier>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::latch>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::queue<int>>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::joinable_queue<int>>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::connection<int>>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::shared_value<int>>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::shared_array<int>>);
    STATIC_REQUIRE_FALSE(coproc::sendable<mp::shared_memory>);
}

TEST_CASE("dummy: a joinable_queue is a queue, and a bounded_semaphore a semaphore") {
    const mp::joinable_queue<int> joinable;
    const mp::queue<int> queue = joinable;
    queue.put(1);
    CHECK_FALSE(joinable.join(0s));
    CHECK(queue.get() == 1);
    joinable.task_done();
    CHECK(joinable.join(0s));
    const mp::bounded_semaphore bounded{1};
    const mp::semaphore semaphore = bounded;
    CHECK_THROWS_AS(semaphore.release(), std::logic_error);
}

TEST_CASE("dummy: threads and coroutines stand in one line") {
    const mp::mutex mutex;
    event_loop context;
    mutex.lock();
    watched first{context};
    watched second{context};
    mutex.async_lock(first.token());
    mutex.async_lock(second.token());
    mutex.unlock();
    CHECK(first.done());
    CHECK_FALSE(second.done());
    CHECK_FALSE(mutex.try_lock()); // nobody comes between
    mutex.unlock();
    CHECK(second.done());
    mutex.unlock();
    CHECK(mutex.try_lock());

    const mp::semaphore units{0};
    watched one{context};
    watched two{context};
    units.async_acquire(one.token());
    units.async_acquire(two.token());
    units.release();
    CHECK_FALSE(units.try_acquire());
    CHECK(one.done());
    CHECK_FALSE(two.done());
    units.release();
    CHECK(two.done());
}

TEST_CASE("dummy: what was handed to one who is cancelled before it knows goes to the next") {
    event_loop context;
    {
        const mp::mutex mutex;
        mutex.lock();
        watched late{context};
        mutex.async_lock(late.token());
        mutex.unlock();
        late.cancel();
        late.cancel();
        CHECK(mutex.try_lock());
        CHECK_THROWS_AS(late.get(), coproc::cancelled_error);
        CHECK_FALSE(mutex.try_lock());
        watched at_once{context};
        mutex.unlock();
        mutex.async_lock(at_once.token());
        at_once.cancel();
        CHECK(mutex.try_lock());
        CHECK_THROWS_AS(at_once.get(), coproc::cancelled_error);
    }
    {
        const mp::bounded_semaphore units{1};
        units.acquire();
        watched late{context};
        watched next{context};
        units.async_acquire(late.token());
        units.async_acquire(next.token());
        units.release();
        late.cancel();
        CHECK_THROWS_AS(late.get(), coproc::cancelled_error);
        next.get();
        CHECK(units.value() == 0);
        units.release();
    }
    {
        const mp::queue<int> queue;
        watched<int> late{context};
        watched<int> next{context};
        queue.async_get(late.token());
        queue.put(1);
        queue.put(2);
        CHECK(queue.size() == 1);
        late.cancel();
        CHECK(queue.size() == 2);
        CHECK(queue.get() == 1);
        CHECK_THROWS_AS(late.get(), coproc::cancelled_error);
        watched<int> again{context};
        queue.async_get(again.token()); // gets 2 at once
        queue.async_get(next.token());
        again.cancel();
        CHECK(next.get() == 2);
        CHECK_THROWS_AS(again.get(), coproc::cancelled_error);
        watched<int> last{context};
        queue.async_get(last.token());
        queue.put(3);
        queue.close();
        last.cancel();
        CHECK(queue.get() == 3); // though it is closed
        CHECK_THROWS_AS(queue.get(), coproc::queue_closed_error);
        CHECK_THROWS_AS(last.get(), coproc::cancelled_error);
    }
    {
        const mp::condition condition;
        mp::mutex mutex;
        watched late{context};
        watched next{context};
        mutex.lock();
        condition.async_wait(mutex, late.token());
        mutex.lock();
        condition.async_wait(mutex, next.token());
        condition.notify_one();
        late.cancel();
        CHECK_THROWS_AS(late.get(), coproc::cancelled_error);
        CHECK_FALSE(next.done());
        mutex.unlock();
        next.get();
        CHECK_FALSE(mutex.try_lock());
        mutex.unlock();
    }
}

TEST_CASE("dummy: a queue closed with elements that are handles, and dropped") {
    const mp::queue<mp::queue<int>> queues;
    {
        const mp::queue<int> inner;
        inner.put(1);
        queues.put(inner);
        queues.put(queues.get());
    }
    queues.close();
    CHECK(queues.get().get() == 1);

    auto [a, b] = mp::pipe<mp::connection<int>>();
    auto [c, d] = mp::pipe<int>();
    a.send(std::exchange(c, {}));
    a.send(std::exchange(d, {}));
    b.close(); // what was not received is dropped
    CHECK_THROWS_AS(a.send({}), coproc::end_of_stream_error);
}
