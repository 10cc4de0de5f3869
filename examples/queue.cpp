// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A producer and two consumers, who go home when nothing has come for a while.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <string>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;
using namespace std::chrono_literals;

void produce(const mp::queue<std::string>& shelf, int loaves) {
    for (int i = 0; i < loaves; ++i)
        shelf.put("loaf " + std::to_string(i));
}

int consume(const mp::queue<std::string>& shelf) {
    int eaten = 0;
    try {
        for (;; ++eaten)
            shelf.get(1s);
    } catch (const mp::queue_empty_error&) {
        return eaten;
    }
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{3};

    const mp::queue<std::string> shelf; // with a number: holds so many, put() waits for room
    auto baker = pool.apply_async(produce, shelf, 40);
    auto ann = pool.apply_async(consume, shelf);
    auto bob = pool.apply_async(consume, shelf);
    baker.get();
    std::cout << "the baker has gone\n";
    const int eaten = ann.get() + bob.get();
    std::cout << "Ann and Bob have gone; of " << eaten + static_cast<int>(shelf.size())
              << " loaves they have eaten " << eaten << '\n';
}
