// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Two processes take turns: each waits until it is its own.

#include <coproc/coproc.hpp>

#include <iostream>
#include <mutex>
#include <string>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

struct table {
    mp::mutex lock;
    mp::condition changed;
    mp::shared_array<int> turns{1}; // how many there have been; the lock protects it
};

std::vector<int> play(const table& t, int self, int players) {
    std::vector<int> mine;
    std::unique_lock held{t.lock};
    for (;;) {
        t.changed.wait(held, [&] { return t.turns[0] % players == self || t.turns[0] >= 10; });
        if (t.turns[0] >= 10) return mine;
        mine.push_back(t.turns[0]++);
        t.changed.notify_all();
    }
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const table shared;
    auto first = pool.apply_async(play, shared, 0, 2);
    auto second = pool.apply_async(play, shared, 1, 2);
    for (auto* player : {&first, &second}) {
        for (const int turn : player->get())
            std::cout << turn << ' ';
        std::cout << '\n';
    }
}
