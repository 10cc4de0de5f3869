// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

using namespace coproc_test;

TEMPLATE_TEST_CASE("latch: counts down to zero, once", "", LATCH_VOCABULARIES) {
    using latch = typename TestType::latch;
    const latch three{3};
    const auto same = three;
    CHECK_FALSE(three.try_wait());
    CHECK_FALSE(three.wait(0s));
    CHECK_FALSE(three.wait(-1s));
    CHECK_FALSE(three.wait(1ms));
    CHECK_FALSE(three.wait_for(1ms));
    three.count_down();
    three.count_down(0);
    same.count_down(2);
    CHECK(three.try_wait());
    three.wait();
    CHECK(three.wait(0s));
    CHECK(three.wait_for(1h));
    CHECK_THROWS_AS(three.count_down(), std::logic_error);
    CHECK(three.try_wait());

    const latch two{2U};
    CHECK_THROWS_AS(two.count_down(3), std::logic_error);
    CHECK_THROWS_AS(two.count_down(-1), std::invalid_argument);
    CHECK_THROWS_AS(two.arrive_and_wait(3), std::logic_error);
    CHECK_FALSE(two.try_wait());
    two.arrive_and_wait(2);
    CHECK(two.try_wait());

    CHECK(latch{}.try_wait());
    CHECK(latch{0}.try_wait());
    latch{0}.wait();
    CHECK_THROWS_AS(latch{-1}, std::invalid_argument);
}

TEMPLATE_TEST_CASE("latch: parties wait for each other", "", LATCH_VOCABULARIES) {
    constexpr int parties = 4;
    const typename TestType::latch arrived{parties};
    const typename TestType::latch done{2 * parties};
    const typename TestType::template shared_array<int> marks{parties};
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<int>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::latch all, typename TestType::latch end,
               typename TestType::template shared_array<int> seen, int number) {
                seen[static_cast<std::size_t>(number)] = 1;
                all.arrive_and_wait();
                int sum = 0;
                for (const int mark : seen)
                    sum += mark;
                end.count_down(2);
                return sum;
            },
            arrived, done, marks, i));
    REQUIRE(done.wait(patience));
    for (auto& other : others)
        CHECK(result_of(other) == parties);
}

TEMPLATE_TEST_CASE("latch: async_wait and its cancellation", "", LATCH_VOCABULARIES) {
    const typename TestType::latch latch{2};
    event_loop context;
    watched first{context};
    watched second{context};
    latch.async_wait(first.token());
    latch.async_wait(second.token());
    latch.count_down();
    CHECK_FALSE(first.done());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    CHECK_FALSE(second.done());
    latch.count_down();
    second.get();
    run(context, [](typename TestType::latch l) -> asio::awaitable<void> {
        const int local = 0;
        co_await l.async_wait();
        static_cast<void>(local);
    }(latch));
}
