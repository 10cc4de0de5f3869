// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/made_once.hpp>

#include "catch.hpp"
#include "forked.hpp"

#include <coproc/detail/fork_mutex.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace coproc_test;
using coproc::detail::fork_mutex;
using coproc::detail::made_once;

TEST_CASE("made_once: whoever comes first, all get the same object") {
    static auto& once = *new made_once<int>; // what it has made is never destroyed
    std::atomic<int> next{1};
    std::vector<const int*> seen(4);
    std::vector<std::thread> threads;
    for (auto& mine : seen)
        threads.emplace_back([&] { mine = &once.get([&] { return next++; }); });
    for (auto& one : threads)
        one.join();
    for (const int* other : seen)
        CHECK(other == seen[0]);
    CHECK(once.get([] { return 0; }) == *seen[0]);
}

TEST_CASE("made_once: the child of a fork does not wait for a thread that was making it") {
    static auto& once = *new made_once<int>;
    std::atomic<bool> making{false};
    std::atomic<bool> go_on{false};
    std::thread slow{[&] {
        static_cast<void>(once.get([&] {
            making = true;
            making.notify_all();
            go_on.wait(false);
            return 1;
        }));
    }};
    making.wait(false);
    forked child{[&] {
        ::alarm(20); // rather than hang
        ::_exit(once.get([] { return 2; }));
    }};
    CHECK(child.wait() == 2);
    go_on = true;
    go_on.notify_all();
    slow.join();
    CHECK(once.get([] { return 3; }) == 1);
}

TEST_CASE("fork_mutex: free in the child of a fork, and what it guards is whole") {
    static auto& mutex = *new fork_mutex;
    static int a = 0;
    static int b = 0;
    std::atomic<bool> enough{false};
    std::vector<std::thread> others;
    for (int i = 0; i != 3; ++i)
        others.emplace_back([&] {
            while (!enough) {
                const std::scoped_lock lock{mutex};
                ++a;
                ++b;
            }
        });
    int right = 0;
    for (int i = 0; i != 200; ++i) {
        forked child{[] {
            ::alarm(20);
            const std::scoped_lock lock{mutex};
            ::_exit(a == b ? 0 : 1);
        }};
        if (child.wait() == 0) ++right;
    }
    enough = true;
    for (auto& one : others)
        one.join();
    CHECK(right == 200);
}
