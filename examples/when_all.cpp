// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Several results together: all of them, the first of them, or each as it comes.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int add(int a, int b) { return a + b; }

std::string after(int ms, const std::string& text) {
    for (int i = 0; i < ms && !mp::this_task::stop_token().stop_requested(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return text;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{3};

    // when_all: a tuple (of a vector of handles: a vector), in the order of the handles.
    auto [sum, text] =
        mp::when_all(pool.apply_async(add, 40, 2), pool.apply_async(after, 1, "done")).get();
    std::cout << sum << ' ' << text << '\n';

    // when_any: a variant, or the index and the value; the others are cancelled.
    std::vector<mp::async_result<std::string>> race;
    race.push_back(pool.apply_async(after, 600'000, "the tortoise"));
    race.push_back(pool.apply_async(after, 1, "the hare"));
    const auto [index, winner] = mp::when_any(std::move(race)).get();
    std::cout << "number " << index << ", " << winner << ", is first\n";

    // as_completed: a stream of index and value.
    std::vector<mp::async_result<std::string>> many;
    many.push_back(pool.apply_async(after, 1000, "slow"));
    many.push_back(pool.apply_async(after, 1, "fast"));
    for (const auto& [number, value] : mp::as_completed(std::move(many)))
        std::cout << number << " is " << value << '\n';

    // The same in a coroutine: auto both = mp::when_all(...); auto values = co_await
    // std::move(both);
}
