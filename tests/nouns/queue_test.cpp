// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <map>
#include <memory>
#include <string>
#include <thread>

using namespace coproc_test;

TEMPLATE_TEST_CASE("queue: first in, first out", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<int> queue;
    const auto same = queue;
    CHECK(queue.empty());
    CHECK(queue.size() == 0);
    CHECK(queue.maxsize() == 0);
    CHECK_FALSE(queue.full());
    CHECK_FALSE(queue.closed());
    CHECK(queue.try_get() == std::nullopt);
    for (int i = 0; i < 1000; ++i)
        queue.put(i);
    CHECK(same.size() == 1000);
    CHECK_FALSE(same.empty());
    CHECK_FALSE(queue.full());
    CHECK(same.get() == 0);
    CHECK(same.get(0s) == 1);
    CHECK(same.try_get() == 2);
    CHECK(queue.get(1h) == 3);
    for (int i = 4; i < 1000; ++i)
        CHECK(queue.get() == i);
    CHECK(queue.empty());
    CHECK_THROWS_AS(queue.get(0s), coproc::queue_empty_error);
    CHECK_THROWS_AS(queue.get(-1s), coproc::queue_empty_error);
    CHECK_THROWS_AS(queue.get(1ms), coproc::queue_empty_error);
    const typename TestType::template queue<int> other;
    other.put(5);
    CHECK(queue.empty());
}

TEMPLATE_TEST_CASE("queue: a bounded one is full", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<std::string> queue{2};
    CHECK(queue.maxsize() == 2);
    CHECK(queue.try_put("a"));
    queue.put("b", 1h);
    CHECK(queue.full());
    const std::string c = "c";
    CHECK_FALSE(queue.try_put(c));
    CHECK_THROWS_AS(queue.put(c, 0s), coproc::queue_full_error);
    CHECK_THROWS_AS(queue.put(c, -1s), coproc::queue_full_error);
    CHECK_THROWS_AS(queue.put(c, 1ms), coproc::queue_full_error);
    CHECK(queue.size() == 2);
    CHECK(queue.get() == "a");
    CHECK_FALSE(queue.full());
    CHECK(queue.try_put(c));
    CHECK(queue.get() == "b");
    CHECK(queue.get() == "c");
    CHECK(queue.try_get() == std::nullopt);
    CHECK(typename TestType::template queue<int>{3U}.maxsize() == 3);
    CHECK(typename TestType::template queue<int>{std::size_t{3}}.maxsize() == 3);
}

TEMPLATE_TEST_CASE("queue: elements of any sendable type and size", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<std::vector<std::string>> texts;
    texts.put({});
    texts.put({"a", std::string(100'000, 'b')});
    CHECK(texts.get().empty());
    CHECK(texts.get().at(1) == std::string(100'000, 'b'));
    const typename TestType::template queue<std::unique_ptr<int>> pointers;
    pointers.put(std::make_unique<int>(4));
    CHECK(pointers.try_put(std::make_unique<int>(5)));
    CHECK(*pointers.get() == 4);
    CHECK(**pointers.try_get() == 5);
    const typename TestType::template queue<std::map<int, std::pair<double, bool>>> maps;
    maps.put({{1, {2.5, true}}});
    CHECK(maps.get().at(1).first == 2.5);
    const typename TestType::template queue<bool> flags;
    flags.put(true);
    CHECK(flags.get());
}

TEMPLATE_TEST_CASE("queue: close ends it for all, what is in it is still delivered", "",
                   QUEUE_VOCABULARIES) {
    const typename TestType::template queue<int> queue{2};
    queue.put(1);
    queue.put(2);
    queue.close();
    queue.close();
    CHECK(queue.closed());
    CHECK_THROWS_AS(queue.put(3), coproc::queue_closed_error);
    CHECK_THROWS_AS(queue.put(3, 1h), coproc::queue_closed_error);
    CHECK_THROWS_AS(queue.try_put(3), coproc::queue_closed_error);
    CHECK(queue.size() == 2);
    CHECK(queue.get() == 1);
    CHECK(queue.try_get() == 2);
    CHECK_THROWS_AS(queue.get(), coproc::queue_closed_error);
    CHECK_THROWS_AS(queue.get(1h), coproc::queue_closed_error);
    CHECK_THROWS_AS(queue.try_get(), coproc::queue_closed_error);
    event_loop context;
    watched<int> got{context};
    watched put{context};
    queue.async_get(got.token());
    queue.async_put(4, put.token());
    CHECK_THROWS_AS(got.get(), coproc::queue_closed_error);
    CHECK_THROWS_AS(put.get(), coproc::queue_closed_error);
}

TEMPLATE_TEST_CASE("queue: close wakes those who wait", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<int> empty;
    const typename TestType::template queue<int> full{1};
    full.put(1);
    event_loop context;
    watched<int> got{context};
    watched put{context};
    empty.async_get(got.token());
    full.async_put(2, put.token());
    CHECK_FALSE(got.done());
    CHECK_FALSE(put.done());
    typename TestType::crew crew{2};
    std::vector<coproc::async_result<bool>> others;
    others.push_back(crew.apply_async(
        [](typename TestType::template queue<int> q) {
            try {
                q.get();
                return false;
            } catch (const coproc::queue_closed_error&) {
                return true;
            }
        },
        empty));
    others.push_back(crew.apply_async(
        [](typename TestType::template queue<int> q) {
            try {
                q.put(3);
                return false;
            } catch (const coproc::queue_closed_error&) {
                return true;
            }
        },
        full));
    empty.close();
    full.close();
    CHECK_THROWS_AS(got.get(), coproc::queue_closed_error);
    CHECK_THROWS_AS(put.get(), coproc::queue_closed_error);
    for (auto& other : others)
        CHECK(result_of(other));
    CHECK(full.get() == 1);
    CHECK_THROWS_AS(full.get(), coproc::queue_closed_error);
}

TEMPLATE_TEST_CASE("queue: blocked ones are served in their turn", "", QUEUE_VOCABULARIES) {
    const typename TestType::template queue<int> queue{1};
    event_loop context;
    watched<int> first{context};
    watched<int> second{context};
    queue.async_get(first.token());
    queue.async_get(second.token());
    CHECK_FALSE(first.done());
    queue.put(1);
    CHECK(first.get() == 1);
    CHECK_FALSE(second.done());
    queue.put(2);
    CHECK(second.get() == 2);

    watched a{context};
    watched b{context};
    watched c{context};
    queue.async_put(1, a.token());
    queue.async_put(2, b.token());
    queue.async_put(3, c.token());
    a.get();
    CHECK_FALSE(b.done());
    CHECK_FALSE(c.done());
    CHECK_FALSE(queue.try_put(4));
    CHECK(queue.get() == 1);
    b.get();
    CHECK_FALSE(c.done());
    CHECK(queue.get(patience) == 2);
    c.get();
    CHECK(queue.get(patience) == 3);
    CHECK(queue.empty());
}

TEMPLATE_TEST_CASE("queue: a cancelled get takes nothing, a cancelled put adds nothing", "",
                   QUEUE_VOCABULARIES) {
    const typename TestType::template queue<int> queue{1};
    event_loop context;
    watched<int> first{context};
    watched<int> second{context};
    queue.async_get(first.token());
    queue.async_get(second.token());
    first.cancel();
    CHECK_THROWS_AS(first.get(), coproc::cancelled_error);
    queue.put(1);
    CHECK(second.get() == 1);

    queue.put(2);
    watched third{context};
    watched fourth{context};
    queue.async_put(3, third.token());
    queue.async_put(4, fourth.token());
    third.cancel();
    CHECK_THROWS_AS(third.get(), coproc::cancelled_error);
    CHECK(queue.get(patience) == 2);
    fourth.get();
    CHECK(queue.get(patience) == 4);
    CHECK(queue.try_get() == std::nullopt);

    // At any moment it has the element, or the element is there.
    watched<int> late{context};
    queue.async_get(late.token());
    queue.put(5);
    late.cancel();
    std::optional<int> got;
    try {
        got = late.get();
    } catch (const coproc::cancelled_error&) {
        got = queue.get(patience);
    }
    CHECK(got == 5);
    CHECK(queue.try_get() == std::nullopt);
}

TEMPLATE_TEST_CASE("queue: a consumer and a producer elsewhere, through a small bound", "",
                   QUEUE_VOCABULARIES) {
    constexpr int items = 2000;
    const typename TestType::template queue<int> down{3};
    const typename TestType::template queue<std::string> up{3};
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](typename TestType::template queue<int> in,
           typename TestType::template queue<std::string> out) {
            for (;;) {
                try {
                    out.put(std::to_string(in.get()));
                } catch (const coproc::queue_closed_error&) {
                    out.close();
                    return;
                }
            }
        },
        down, up);
    std::thread feeder{[&] {
        for (int i = 0; i < items; ++i)
            down.put(i);
        down.close();
    }};
    int wrong = 0;
    for (int i = 0; i < items; ++i)
        wrong += up.get(patience) == std::to_string(i) ? 0 : 1;
    CHECK(wrong == 0);
    CHECK_THROWS_AS(up.get(patience), coproc::queue_closed_error);
    feeder.join();
    result_of(other);
}

TEMPLATE_TEST_CASE("queue: many producers and consumers lose nothing and keep each one's order", "",
                   QUEUE_VOCABULARIES) {
    constexpr std::uint32_t producers = 3;
    constexpr std::uint32_t items = 400;
    const auto seed = GENERATE(1U, 2U, 3U);
    const auto bound = GENERATE(0U, 1U, 5U);
    const bool cancelling = GENERATE(false, true);
    CAPTURE(seed, bound, cancelling);
    using entry = std::pair<std::uint32_t, std::uint32_t>; // producer, number
    using entries = std::vector<entry>;
    const typename TestType::template queue<entry> queue{bound};
    typename TestType::crew crew{producers + 2};
    std::vector<coproc::async_result<void>> puts;
    for (std::uint32_t p = 0; p < producers; ++p)
        puts.push_back(crew.apply_async(
            [](typename TestType::template queue<entry> q, std::uint32_t number,
               std::uint32_t own_seed) {
                for (std::uint32_t k = 0; k < items; ++k) {
                    const entry x{number, k};
                    const auto dice = mixed(own_seed, k) % 3;
                    if (dice == 0)
                        q.put(x);
                    else if (dice == 1)
                        while (!q.try_put(x))
                            std::this_thread::yield();
                    else
                        for (bool in = false; !in;) {
                            try {
                                q.put(x, 20us);
                                in = true;
                            } catch (const coproc::queue_full_error&) {}
                        }
                }
            },
            queue, p, mixed(seed, p)));
    std::vector<coproc::async_result<entries>> gets;
    for (std::uint32_t c = 0; c < 2; ++c)
        gets.push_back(crew.apply_async(
            [](typename TestType::template queue<entry> q, std::uint32_t own_seed) {
                entries got;
                try {
                    for (std::uint32_t k = 0;; ++k) {
                        const auto dice = mixed(own_seed, k) % 3;
                        if (dice == 0) {
                            got.push_back(q.get());
                        } else if (dice == 1) {
                            if (auto x = q.try_get()) got.push_back(*x);
                        } else {
                            try {
                                got.push_back(q.get(20us));
                            } catch (const coproc::queue_empty_error&) {}
                        }
                    }
                } catch (const coproc::queue_closed_error&) {
                    return got;
                }
            },
            queue, mixed(seed, 10 + c)));
    event_loop context;
    std::vector<entries> awaited(2);
    for (std::uint32_t c = 0; c < 2; ++c)
        asio::co_spawn(
            context,
            [](typename TestType::template queue<entry> q, std::uint32_t own_seed, bool cancels,
               entries& got) -> asio::awaitable<void> {
                try {
                    for (std::uint32_t k = 0;; ++k) {
                        if (cancels) {
                            const std::chrono::microseconds time{mixed(own_seed, k) % 100};
                            auto x = co_await within<entry>(time, q.async_get());
                            if (x) got.push_back(*x);
                        } else {
                            auto x = co_await q.async_get();
                            got.push_back(x);
                        }
                    }
                } catch (const coproc::queue_closed_error&) {}
            }(queue, mixed(seed, 20 + c), cancelling, awaited[c]),
            asio::detached);
    std::thread loop{[&] { context.run(); }};
    all_end(puts);
    queue.close();
    loop.join();
    std::vector<entries> all{std::move(awaited)};
    for (auto& get : gets)
        all.push_back(result_of(get));
    std::vector<int> seen(producers * items);
    std::size_t count = 0;
    int disorder = 0;
    for (const auto& one : all)
        for (const auto& [p, k] : one) {
            ++seen[p * items + k];
            ++count;
        }
    for (const auto& one : all) {
        std::vector<std::int64_t> last(producers, -1);
        for (const auto& [p, k] : one) {
            if (k < last[p]) ++disorder;
            last[p] = k;
        }
    }
    CHECK(count == producers * items);
    CHECK(std::ranges::all_of(seen, [](int n) { return n == 1; }));
    // What a cancelled get had in its hands and gave back comes after what others got meanwhile.
    if (!cancelling) CHECK(disorder == 0);
}
