// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

using namespace coproc_test;

TEMPLATE_TEST_CASE("barrier: its numbers", "", BARRIER_VOCABULARIES) {
    using barrier = typename TestType::barrier;
    const barrier one{1};
    CHECK(one.parties() == 1);
    CHECK(one.waiting() == 0);
    CHECK_FALSE(one.broken());
    CHECK(one.wait() == 0);
    CHECK(one.wait(0s) == 0);
    CHECK(barrier{std::size_t{3}}.parties() == 3);
    const barrier own;
    CHECK(own.parties() == 1);
    CHECK(own.wait() == 0);
    CHECK_THROWS_AS(barrier{0}, std::invalid_argument);
    CHECK_THROWS_AS(barrier{-1}, std::invalid_argument);
}

TEMPLATE_TEST_CASE("barrier: nobody goes on before all have come, again and again", "",
                   BARRIER_VOCABULARIES) {
    constexpr int parties = 4;
    constexpr int rounds = 100;
    const typename TestType::barrier barrier{parties};
    // Of each round: how often somebody was the first.
    const typename TestType::template shared_array<int> firsts{rounds};
    const typename TestType::template shared_array<int> steps{parties};
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<int>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::barrier b, typename TestType::template shared_array<int> first,
               typename TestType::template shared_array<int> step, int number) {
                int wrong = 0;
                for (int round = 0; round < rounds; ++round) {
                    step[static_cast<std::size_t>(number)] = round;
                    const auto place = round % 2 == 0 ? b.wait() : b.wait(patience);
                    for (const int other : step)
                        wrong += other == round ? 0 : 1;
                    if (place == 0) ++first[static_cast<std::size_t>(round)];
                    if (place >= parties) ++wrong;
                    b.wait();
                }
                return wrong;
            },
            barrier, firsts, steps, i));
    for (auto& other : others)
        CHECK(result_of(other) == 0);
    for (const int n : firsts)
        CHECK(n == 1);
    CHECK(barrier.waiting() == 0);
    CHECK_FALSE(barrier.broken());
}

TEMPLATE_TEST_CASE("barrier: each of the parties has a place of its own", "",
                   BARRIER_VOCABULARIES) {
    const typename TestType::barrier barrier{3};
    event_loop context;
    watched<std::size_t> first{context};
    watched<std::size_t> second{context};
    barrier.async_wait(first.token());
    barrier.async_wait(second.token());
    CHECK(eventually([&] { return barrier.waiting() == 2; }));
    CHECK_FALSE(first.done());
    const auto third = barrier.wait();
    std::vector places{first.get(), second.get(), third};
    std::ranges::sort(places);
    CHECK(places == std::vector<std::size_t>{0, 1, 2});
    CHECK(barrier.waiting() == 0);
}

TEMPLATE_TEST_CASE("barrier: a party whose time runs out breaks it for all", "",
                   BARRIER_VOCABULARIES) {
    const typename TestType::barrier barrier{3};
    event_loop context;
    watched<std::size_t> waits{context};
    barrier.async_wait(waits.token());
    CHECK_FALSE(waits.done());
    CHECK_THROWS_AS(barrier.wait(1ms), coproc::broken_barrier_error);
    CHECK(barrier.broken());
    CHECK_THROWS_AS(waits.get(), coproc::broken_barrier_error);
    CHECK_THROWS_AS(barrier.wait(), coproc::broken_barrier_error);
    watched<std::size_t> late{context};
    barrier.async_wait(late.token());
    CHECK_THROWS_AS(late.get(), coproc::broken_barrier_error);
    barrier.reset();
    CHECK_FALSE(barrier.broken());
    CHECK_THROWS_AS(barrier.wait(0s), coproc::broken_barrier_error);
}

TEMPLATE_TEST_CASE("barrier: abort and reset", "", BARRIER_VOCABULARIES) {
    const typename TestType::barrier barrier{3};
    typename TestType::crew crew{2};
    const auto start = [&] {
        std::vector<coproc::async_result<bool>> others;
        for (int i = 0; i < 2; ++i)
            others.push_back(crew.apply_async(
                [](typename TestType::barrier b) {
                    try {
                        b.wait();
                        return false;
                    } catch (const coproc::broken_barrier_error&) {
                        return true;
                    }
                },
                barrier));
        REQUIRE(eventually([&] { return barrier.waiting() == 2; }));
        return others;
    };
    auto aborted = start();
    barrier.abort();
    barrier.abort();
    for (auto& other : aborted)
        CHECK(result_of(other));
    CHECK(barrier.broken());
    CHECK(barrier.waiting() == 0);
    CHECK_THROWS_AS(barrier.wait(), coproc::broken_barrier_error);
    barrier.reset();
    CHECK_FALSE(barrier.broken());

    auto swept = start();
    barrier.reset();
    for (auto& other : swept)
        CHECK(result_of(other));
    CHECK_FALSE(barrier.broken());

    auto fine = start();
    CHECK(barrier.wait() < 3);
    for (auto& other : fine)
        CHECK_FALSE(result_of(other));
}

TEMPLATE_TEST_CASE("barrier: cancelling an async_wait breaks it", "", BARRIER_VOCABULARIES) {
    const typename TestType::barrier barrier{3};
    event_loop context;
    watched<std::size_t> first{context};
    watched<std::size_t> second{context};
    barrier.async_wait(first.token());
    barrier.async_wait(second.token());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    CHECK_THROWS_AS(second.get(), coproc::broken_barrier_error);
    CHECK(barrier.broken());
    barrier.reset();
    // Once all have come it is too late to cancel.
    watched<std::size_t> third{context};
    watched<std::size_t> fourth{context};
    barrier.async_wait(third.token());
    barrier.async_wait(fourth.token());
    CHECK(barrier.wait() < 3);
    third.cancel();
    CHECK(third.get() < 3);
    CHECK(fourth.get() < 3);
    CHECK_FALSE(barrier.broken());
}

TEMPLATE_TEST_CASE("barrier: coroutines and other parties, with resets in between", "",
                   BARRIER_VOCABULARIES) {
    const typename TestType::barrier barrier{4};
    typename TestType::crew crew{2};
    std::vector<coproc::async_result<int>> others;
    for (int i = 0; i < 2; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::barrier b) {
                int through = 0;
                for (;;) {
                    try {
                        if (b.wait() < 4) ++through;
                    } catch (const coproc::broken_barrier_error&) {
                        return through;
                    }
                }
            },
            barrier));
    event_loop context;
    auto body = [](typename TestType::barrier b) -> asio::awaitable<int> {
        int through = 0;
        for (; through < 200; ++through)
            co_await b.async_wait(asio::use_awaitable);
        co_return through;
    };
    using namespace asio::experimental::awaitable_operators;
    const auto both = [](auto make, typename TestType::barrier b) -> asio::awaitable<int> {
        auto [one, two] = co_await (make(b) && make(b));
        co_return one + two;
    };
    CHECK(run(context, both(body, barrier)) == 400);
    REQUIRE(eventually([&] { return barrier.waiting() == 2; }));
    barrier.abort();
    for (auto& other : others)
        CHECK(result_of(other) == 200);
}
