// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

using namespace coproc_test;

TEMPLATE_TEST_CASE("joinable_queue: join waits until as much is done as was put", "",
                   JOINABLE_QUEUE_VOCABULARIES) {
    const typename TestType::template joinable_queue<int> queue{3};
    const auto same = queue;
    queue.join();
    CHECK(queue.join(0s));
    CHECK_THROWS_AS(queue.task_done(), std::logic_error);
    queue.put(1);
    CHECK(queue.try_put(2));
    queue.put(3, 1h);
    CHECK_THROWS_AS(queue.put(4, 1ms), coproc::queue_full_error);
    CHECK_FALSE(queue.try_put(4));
    CHECK_FALSE(queue.join(0s));
    CHECK_FALSE(queue.join(-1s));
    CHECK(queue.get() == 1);
    CHECK(queue.get() == 2);
    CHECK(queue.try_get() == 3);
    CHECK_FALSE(queue.join(1ms));
    same.task_done();
    queue.task_done();
    CHECK_FALSE(queue.join(1ms));
    queue.task_done();
    CHECK(queue.join(0s));
    CHECK_THROWS_AS(queue.task_done(), std::logic_error);
    CHECK(queue.join(1h));
    CHECK(queue.maxsize() == 3);
    CHECK(queue.empty());
}

TEMPLATE_TEST_CASE("joinable_queue: async_join and its cancellation", "",
                   JOINABLE_QUEUE_VOCABULARIES) {
    const typename TestType::template joinable_queue<int> queue;
    event_loop context;
    watched at_once{context};
    queue.async_join(at_once.token());
    at_once.get();
    watched first{context};
    watched second{context};
    watched put{context};
    queue.async_put(1, put.token());
    put.get();
    queue.async_join(first.token());
    queue.async_join(second.token());
    CHECK_FALSE(first.done());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    watched<int> got{context};
    queue.async_get(got.token());
    CHECK(got.get() == 1);
    CHECK_FALSE(second.done());
    queue.task_done();
    second.get();
}

TEMPLATE_TEST_CASE("joinable_queue: closed, it can still be joined", "",
                   JOINABLE_QUEUE_VOCABULARIES) {
    const typename TestType::template joinable_queue<std::string> queue;
    queue.put("a");
    queue.close();
    CHECK_THROWS_AS(queue.put("b"), coproc::queue_closed_error);
    CHECK_FALSE(queue.join(1ms));
    CHECK(queue.get() == "a");
    CHECK_THROWS_AS(queue.get(), coproc::queue_closed_error);
    queue.task_done();
    CHECK(queue.join(0s));
}

TEMPLATE_TEST_CASE("joinable_queue: others do the work", "", JOINABLE_QUEUE_VOCABULARIES) {
    constexpr int parties = 3;
    const auto bound = GENERATE(0, 2);
    CAPTURE(bound);
    const typename TestType::template joinable_queue<int> queue{bound};
    const typename TestType::template queue<int> squares;
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<int>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::template joinable_queue<int> in,
               typename TestType::template queue<int> out) {
                int done = 0;
                try {
                    for (;; ++done) {
                        const int x = in.get();
                        out.put(x * x);
                        in.task_done();
                    }
                } catch (const coproc::queue_closed_error&) {
                    return done;
                }
            },
            queue, squares));
    long sum = 0;
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 20; ++i)
            queue.put(i);
        if (round % 2 == 0)
            REQUIRE(queue.join(patience));
        else
            queue.join();
        CHECK(squares.size() == 20);
        while (const auto x = squares.try_get())
            sum += *x;
    }
    CHECK(sum == 10 * 2470);
    queue.close();
    int done = 0;
    for (auto& other : others)
        done += result_of(other);
    CHECK(done == 200);
}
