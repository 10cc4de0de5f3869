// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Work is done when all of it is done, not when the queue is empty: task_done and join.

#include <coproc/coproc.hpp>

#include <iostream>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

int wash(const mp::joinable_queue<int>& dishes, const mp::queue<int>& rack) {
    int washed = 0;
    try {
        for (;; ++washed) {
            const int dish = dishes.get();
            rack.put(dish * dish);
            dishes.task_done();
        }
    } catch (const mp::queue_closed_error&) { // the evening is over
        return washed;
    }
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    const mp::joinable_queue<int> dishes;
    const mp::queue<int> rack;
    std::vector<mp::async_result<int>> washers;
    for (int i = 0; i < 2; ++i)
        washers.push_back(pool.apply_async(wash, dishes, rack));

    for (const int course : {1, 2, 3}) {
        for (int dish = 1; dish <= 10 * course; ++dish)
            dishes.put(dish);
        dishes.join();
        std::cout << "after course " << course << " the rack holds " << rack.size() << '\n';
    }
    dishes.close();
    int washed = 0;
    for (auto& washer : washers)
        washed += washer.get();
    std::cout << washed << " dishes were washed\n";
}
