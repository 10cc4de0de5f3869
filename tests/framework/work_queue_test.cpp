// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/work_queue.hpp>

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <deque>
#include <map>
#include <random>
#include <vector>

using namespace coproc_test;
using coproc::detail::work_queue;

TEST_CASE("a work queue is first in, first out") {
    work_queue q;
    CHECK(q.empty());
    CHECK(q.front() == nullptr);
    const auto a = fake_call();
    const auto b = fake_call();
    const auto c = fake_call();
    q.push_back(*a);
    q.push_back(*b);
    q.push_front(*c);
    CHECK(q.size() == 3);
    for (const auto& expected : {c, a, b}) {
        REQUIRE(q.front() == expected.get());
        q.remove(*expected);
    }
    CHECK(q.empty());
    CHECK(q.front() == nullptr);
}

TEST_CASE("a work queue takes higher priorities first") {
    work_queue q;
    const auto low = fake_call({.priority = -1});
    const auto normal = fake_call();
    const auto high = fake_call({.priority = 7});
    const auto high_too = fake_call({.priority = 7});
    q.push_back(*low);
    q.push_back(*high);
    q.push_back(*normal);
    q.push_back(*high_too);
    for (const auto& expected : {high, high_too, normal, low}) {
        REQUIRE(q.front() == expected.get());
        q.remove(*expected);
    }
    CHECK(q.empty());
}

TEST_CASE("a work queue removes from anywhere") {
    work_queue q;
    std::vector<fake_ptr> all;
    for (int i = 0; i < 5; ++i) {
        all.push_back(fake_call());
        q.push_back(*all.back());
    }
    q.remove(*all[2]);
    q.remove(*all[4]);
    q.remove(*all[0]);
    CHECK(q.front() == all[1].get());
    q.push_back(*all[0]);
    q.remove(*all[1]);
    CHECK(q.front() == all[3].get());
    q.remove(*all[3]);
    CHECK(q.front() == all[0].get());
}

TEST_CASE("a work queue keeps alive what it holds, and lets go of it") {
    fake_work::destroyed = 0;
    {
        work_queue q;
        auto a = fake_call();
        auto b = fake_call({.priority = 3});
        auto* at = a.get();
        q.push_back(*a);
        q.push_back(*b);
        a = nullptr;
        b = nullptr;
        CHECK(fake_work::destroyed == 0);
        q.remove(*at);
        CHECK(fake_work::destroyed == 1);
    }
    CHECK(fake_work::destroyed == 2);
}

TEST_CASE("a work queue counts waiting items") {
    work_queue q;
    CHECK(q.waiting_items() == 0);
    const auto a = fake_call();
    const auto b = fake_map(1'000'000'000'000, {.priority = 2});
    q.push_back(*a);
    q.push_back(*b);
    CHECK(q.waiting_items() == 1'000'000'000'001);
}

TEST_CASE("a work queue behaves as a map of deques does") {
    for (const unsigned seed : {1U, 2U, 3U}) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        work_queue q;
        std::map<int, std::deque<fake_ptr>, std::greater<>> model;
        std::vector<fake_ptr> waiting;
        for (int step = 0; step < 5000; ++step) {
            const auto dice = random() % 5;
            if (dice < 3 || waiting.empty()) {
                const int priority = static_cast<int>(random() % 6) - 2;
                const auto w = fake_call({.priority = priority});
                waiting.push_back(w);
                if (dice == 0) {
                    q.push_front(*w);
                    model[priority].push_front(w);
                } else {
                    q.push_back(*w);
                    model[priority].push_back(w);
                }
            } else {
                const auto at = random() % waiting.size();
                const auto w = waiting[at];
                waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
                q.remove(*w);
                auto& level = model[w->settings().priority];
                std::erase(level, w);
                if (level.empty()) model.erase(w->settings().priority);
            }
            const auto* expected = model.empty() ? nullptr : model.begin()->second.front().get();
            REQUIRE(q.front() == expected);
            REQUIRE(q.size() == waiting.size());
        }
    }
}
