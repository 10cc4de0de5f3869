// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <thread>
#include <type_traits>

using namespace coproc_test;

TEMPLATE_TEST_CASE("semaphore: units are taken and returned", "", SEMAPHORE_VOCABULARIES) {
    using semaphore = typename TestType::semaphore;
    const semaphore units{2};
    const auto same = units;
    CHECK(units.value() == 2);
    units.acquire();
    CHECK(same.value() == 1);
    CHECK(same.try_acquire());
    CHECK(units.value() == 0);
    CHECK_FALSE(units.try_acquire());
    CHECK_FALSE(units.try_acquire_for(0s));
    CHECK_FALSE(units.try_acquire_for(-1s));
    CHECK_FALSE(units.try_acquire_for(1ms));
    units.release();
    CHECK(units.try_acquire_for(1h));
    units.release(3); // it is not bounded
    CHECK(units.value() == 3);
    units.release(0);
    CHECK(units.value() == 3);
    units.release(std::size_t{1});
    CHECK(units.value() == 4);

    CHECK(semaphore{}.value() == 1);
    CHECK(semaphore{0}.value() == 0);
    CHECK(semaphore{7U}.value() == 7);
    CHECK(semaphore{short{3}}.value() == 3);
    CHECK_THROWS_AS(semaphore{-1}, std::invalid_argument);
    CHECK_THROWS_AS(units.release(-1), std::invalid_argument);
    CHECK(units.value() == 4);
}

TEMPLATE_TEST_CASE("semaphore: a bounded one is not released beyond its initial value", "",
                   SEMAPHORE_VOCABULARIES) {
    using bounded = typename TestType::bounded_semaphore;
    const bounded units{2};
    CHECK_THROWS_AS(units.release(), std::logic_error);
    CHECK(units.value() == 2);
    units.acquire();
    CHECK_THROWS_AS(units.release(2), std::logic_error);
    CHECK(units.value() == 1);
    units.release();
    CHECK(units.value() == 2);
    units.acquire();
    units.acquire();
    CHECK_FALSE(units.try_acquire());
    CHECK_FALSE(units.try_acquire_for(1ms));
    units.release(2);
    CHECK(units.value() == 2);
    {
        const auto one = units.permit();
        CHECK(units.value() == 1);
        CHECK_THROWS_AS(units.release(2), std::logic_error);
    }
    CHECK(units.value() == 2);
    CHECK(bounded{}.value() == 1);
    CHECK_THROWS_AS(bounded{}.release(), std::logic_error);
    CHECK_THROWS_AS(bounded{-1}, std::invalid_argument);
}

TEMPLATE_TEST_CASE("semaphore: permits", "", SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{2};
    {
        auto one = units.permit();
        STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<decltype(one)>);
        STATIC_REQUIRE(std::is_nothrow_move_constructible_v<decltype(one)>);
        CHECK(units.value() == 1);
        auto two = units.try_permit_for(1h);
        REQUIRE(two);
        CHECK(units.value() == 0);
        CHECK_FALSE(units.try_permit_for(0s));
        CHECK_FALSE(units.try_permit());
        CHECK_FALSE(units.try_permit_for(1ms));
        auto moved = std::move(one);
        CHECK(units.value() == 0);
        moved.release();
        CHECK(units.value() == 1);
        moved.release(); // once is enough
        CHECK(units.value() == 1);
        moved = std::move(*two);
        CHECK(units.value() == 1);
    }
    CHECK(units.value() == 2);
    {
        const auto one = units.try_permit();
        REQUIRE(one);
        CHECK(units.value() == 1);
    }
    CHECK(units.value() == 2);
    auto kept = [] { return typename TestType::semaphore{1}.permit(); }();
    kept.release(); // its semaphore has no other handle
}

TEMPLATE_TEST_CASE("semaphore: a release lets one go on that waits", "", SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore asked{0};
    const typename TestType::semaphore answered{0};
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](typename TestType::semaphore in, typename TestType::semaphore out) {
            for (int i = 0; i < 100; ++i) {
                in.acquire();
                out.release();
            }
        },
        asked, answered);
    for (int i = 0; i < 100; ++i) {
        asked.release();
        REQUIRE(answered.try_acquire_for(patience));
    }
    result_of(other);
    CHECK(asked.value() == 0);
    CHECK(answered.value() == 0);
}

TEMPLATE_TEST_CASE("semaphore: never more at once than there are units", "",
                   SEMAPHORE_VOCABULARIES) {
    constexpr int parties = 5;
    const typename TestType::semaphore units{2};
    const typename TestType::mutex mutex;
    const typename TestType::template shared_array<int> counts{2}; // inside now, and at most
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<void>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::semaphore s, typename TestType::mutex m,
               typename TestType::template shared_array<int> n) {
                for (int k = 0; k < 200; ++k) {
                    const auto permit = s.permit();
                    {
                        const std::scoped_lock lock{m};
                        n[1] = std::max(n[1], ++n[0]);
                    }
                    std::this_thread::yield();
                    const std::scoped_lock lock{m};
                    --n[0];
                }
            },
            units, mutex, counts));
    all_end(others);
    CHECK(counts[0] == 0);
    CHECK(counts[1] >= 1);
    CHECK(counts[1] <= 2);
    CHECK(units.value() == 2);
}

TEMPLATE_TEST_CASE("semaphore: async_acquire", "", SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{1};
    event_loop context;
    watched free{context};
    units.async_acquire(free.token());
    free.get();
    CHECK(units.value() == 0);

    watched first{context};
    watched second{context};
    watched third{context};
    units.async_acquire(first.token());
    units.async_acquire(second.token());
    units.async_acquire(third.token());
    CHECK_FALSE(first.done());
    units.release();
    first.get();
    CHECK_FALSE(second.done());
    CHECK(units.value() == 0);
    units.release(3);
    second.get();
    third.get();
    CHECK(units.value() == 1);

    const auto taken = [](typename TestType::semaphore s) -> asio::awaitable<std::size_t> {
        co_await s.async_acquire();
        const auto left = s.value();
        co_return left;
    };
    CHECK(run(context, taken(units)) == 0);
}

TEMPLATE_TEST_CASE("semaphore: a cancelled async_acquire takes nothing", "",
                   SEMAPHORE_VOCABULARIES) {
    const typename TestType::semaphore units{0};
    event_loop context;
    watched first{context};
    watched second{context};
    units.async_acquire(first.token());
    units.async_acquire(second.token());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    units.release();
    second.get();
    CHECK(units.value() == 0);

    watched late{context};
    units.async_acquire(late.token());
    units.release();
    late.cancel();
    try {
        late.get();
        units.release();
    } catch (const coproc::cancelled_error&) {}
    CHECK(units.try_acquire_for(patience));
    CHECK(units.value() == 0);
}

TEMPLATE_TEST_CASE("semaphore: async_permit", "", SEMAPHORE_VOCABULARIES) {
    using permit = typename TestType::semaphore::permit_type;
    const typename TestType::bounded_semaphore units{1};
    event_loop context;
    watched<permit> free{context};
    units.async_permit(free.token());
    auto first = free.get();
    CHECK(first);
    CHECK(units.value() == 0);

    watched<permit> second{context};
    watched<permit> third{context};
    units.async_permit(second.token());
    units.async_permit(third.token());
    CHECK_FALSE(second.done());
    first.release();
    {
        const auto held = second.get();
        CHECK(held);
        CHECK_FALSE(third.done());
        CHECK(units.value() == 0);
    }
    CHECK(third.get()); // and lets go of it
    CHECK(units.value() == 1);

    const auto taken = [](typename TestType::semaphore s) -> asio::awaitable<std::size_t> {
        const auto held = co_await s.async_permit();
        const auto left = s.value();
        co_return held ? left : 99;
    };
    CHECK(run(context, taken(units)) == 0);
    CHECK(units.value() == 1);
}

TEMPLATE_TEST_CASE("semaphore: an async_permit that is cancelled or dropped keeps nothing", "",
                   SEMAPHORE_VOCABULARIES) {
    using permit = typename TestType::semaphore::permit_type;
    const typename TestType::semaphore units{0};
    event_loop context;
    SECTION("cancelled while it waits") {
        watched<permit> first{context};
        watched<permit> second{context};
        units.async_permit(first.token());
        units.async_permit(second.token());
        first.cancel();
        CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
        units.release();
        CHECK(second.get());
    }
    SECTION("cancelled when its unit is there") {
        watched<permit> late{context};
        units.async_permit(late.token());
        units.release();
        REQUIRE(eventually([&] { return units.value() == 0; }));
        watched<permit> next{context};
        units.async_permit(next.token());
        late.cancel();
        late.cancel();
        CHECK_THROWS_AS(late.get(), coproc::cancelled_error);
        CHECK(next.get()); // it goes to the next one
    }
    SECTION("dropped when its unit is there") {
        asio::io_context other;
        units.async_permit(
            asio::bind_executor(other, [](const std::exception_ptr&, const permit&) {}));
        units.release();
        REQUIRE(eventually([&] { return units.value() == 0; }));
    }
    SECTION("dropped while it waits") {
        {
            asio::io_context other;
            units.async_permit(
                asio::bind_executor(other, [](const std::exception_ptr&, const permit&) {}));
        }
        units.release();
    }
    CHECK(units.try_acquire_for(patience));
    CHECK(units.value() == 0);
}

TEMPLATE_TEST_CASE("semaphore: no permit is lost to cancellation", "", SEMAPHORE_VOCABULARIES) {
    using namespace asio::experimental::awaitable_operators;
    const auto seed = GENERATE(1U, 2U, 3U);
    CAPTURE(seed);
    const typename TestType::bounded_semaphore units{2};
    typename TestType::crew crew{2};
    std::vector<coproc::async_result<void>> others;
    for (std::uint32_t i = 0; i < 2; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::bounded_semaphore s) {
                for (std::uint32_t k = 0; k < 300; ++k) {
                    const auto held = k % 3 == 0 ? s.try_permit() : s.permit();
                    if (held && k % 4 == 0) std::this_thread::yield();
                }
            },
            units));
    event_loop context;
    auto body = [](typename TestType::bounded_semaphore s,
                   std::uint32_t own_seed) -> asio::awaitable<void> {
        asio::steady_timer timer{co_await asio::this_coro::executor};
        for (std::uint32_t k = 0; k < 100; ++k) {
            timer.expires_after(std::chrono::microseconds{mixed(own_seed, k) % 200});
            const auto which = co_await (s.async_permit(asio::use_awaitable) ||
                                         timer.async_wait(asio::use_awaitable));
            if (which.index() == 0 && k % 2 == 0) co_await asio::post(asio::use_awaitable);
        }
    };
    for (std::uint32_t i = 0; i < 4; ++i)
        asio::co_spawn(context, body(units, mixed(seed, i)), asio::detached);
    context.run_for(patience);
    CHECK(context.stopped());
    all_end(others);
    CHECK(eventually([&] { return units.value() == 2; }));
}

TEMPLATE_TEST_CASE("semaphore: no unit is lost to timeouts and cancellation", "",
                   SEMAPHORE_VOCABULARIES) {
    using namespace asio::experimental::awaitable_operators;
    const auto seed = GENERATE(1U, 2U, 3U);
    CAPTURE(seed);
    const typename TestType::bounded_semaphore units{3};
    typename TestType::crew crew{3};
    std::vector<coproc::async_result<void>> others;
    for (std::uint32_t i = 0; i < 3; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::bounded_semaphore s, std::uint32_t own_seed) {
                for (std::uint32_t k = 0; k < 300; ++k) {
                    const auto permit =
                        s.try_permit_for(std::chrono::microseconds{mixed(own_seed, k) % 200});
                    if (permit && k % 4 == 0) std::this_thread::yield();
                }
            },
            units, mixed(seed, i)));
    event_loop context;
    auto body = [](typename TestType::bounded_semaphore s,
                   std::uint32_t own_seed) -> asio::awaitable<void> {
        asio::steady_timer timer{co_await asio::this_coro::executor};
        for (std::uint32_t k = 0; k < 100; ++k) {
            timer.expires_after(std::chrono::microseconds{mixed(own_seed, k) % 200});
            auto which = co_await (s.async_acquire(asio::use_awaitable) ||
                                   timer.async_wait(asio::use_awaitable));
            if (which.index() != 0) continue;
            if (k % 2 == 0) co_await asio::post(asio::use_awaitable);
            s.release();
        }
    };
    for (std::uint32_t i = 0; i < 4; ++i)
        asio::co_spawn(context, body(units, mixed(seed, 10 + i)), asio::detached);
    context.run_for(patience);
    CHECK(context.stopped());
    all_end(others);
    CHECK(eventually([&] { return units.value() == 3; }));
}
