// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

using namespace coproc_test;

TEMPLATE_TEST_CASE("event: set, clear, wait", "", EVENT_VOCABULARIES) {
    const typename TestType::event event;
    const auto same = event;
    CHECK_FALSE(event.is_set());
    CHECK_FALSE(event.wait(0s));
    CHECK_FALSE(event.wait(-1s));
    CHECK_FALSE(event.wait(1ms));
    CHECK_FALSE(event.wait_for(1ms));
    event.set();
    event.set();
    CHECK(same.is_set());
    same.wait();
    CHECK(same.wait(0s));
    CHECK(same.wait(std::chrono::hours::max()));
    CHECK(event.wait_for(0s));
    same.clear();
    same.clear();
    CHECK_FALSE(event.is_set());
    CHECK_FALSE(event.wait(0s));
    CHECK_FALSE(typename TestType::event{}.is_set());
}

TEMPLATE_TEST_CASE("event: all go on that wait", "", EVENT_VOCABULARIES) {
    constexpr int parties = 4;
    const typename TestType::event event;
    const typename TestType::semaphore here{0};
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<int>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::event e, typename TestType::semaphore s, int number) {
                s.release();
                if (number % 2 == 0)
                    e.wait();
                else if (!e.wait(patience))
                    return -1;
                return number;
            },
            event, here, i));
    for (int i = 0; i < parties; ++i)
        REQUIRE(here.try_acquire_for(patience));
    event.set();
    for (int i = 0; i < parties; ++i)
        CHECK(result_of(others[static_cast<std::size_t>(i)]) == i);
}

TEMPLATE_TEST_CASE("event: who waits when it is set goes on, though it is cleared at once", "",
                   EVENT_VOCABULARIES) {
    const typename TestType::event event;
    event_loop context;
    watched first{context};
    watched second{context};
    event.async_wait(first.token());
    event.async_wait(second.token());
    CHECK_FALSE(first.done());
    event.set();
    event.clear();
    first.get();
    second.get();
    CHECK_FALSE(event.is_set());
    watched third{context};
    event.async_wait(third.token());
    CHECK_FALSE(third.done());
    event.set();
    third.get();
    watched at_once{context};
    event.async_wait(at_once.token());
    at_once.get();
}

TEMPLATE_TEST_CASE("event: a cancelled async_wait", "", EVENT_VOCABULARIES) {
    const typename TestType::event event;
    event_loop context;
    watched first{context};
    watched second{context};
    event.async_wait(first.token());
    event.async_wait(second.token());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    CHECK_FALSE(second.done());
    first.cancel(); // too late
    event.set();
    second.get();
}

TEMPLATE_TEST_CASE("event: back and forth", "", EVENT_VOCABULARIES) {
    const typename TestType::event ping;
    const typename TestType::event pong;
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](typename TestType::event in, typename TestType::event out) {
            for (int i = 0; i < 200; ++i) {
                if (!in.wait(patience)) return false;
                in.clear();
                out.set();
            }
            return true;
        },
        ping, pong);
    run([](typename TestType::event out, typename TestType::event in) -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i) {
            out.set();
            co_await in.async_wait();
            in.clear();
        }
    }(ping, pong));
    CHECK(result_of(other));
}
