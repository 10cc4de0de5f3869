// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Producer and consumer as classes of their own; closing the queue ends the consumer.

#include <coproc/coproc.hpp>

#include <iostream>
#include <tuple>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

struct producer : mp::process_base<producer> {
    mp::queue<int> queue;
    int count = 0;
    auto members() { return std::tie(queue, count); } // what travels to the process

    void run() {
        for (int i = 1; i <= count; ++i)
            queue.put(i * i);
        queue.close(); // what is in it is still delivered
    }
};

struct consumer : mp::process_base<consumer> {
    mp::queue<int> queue;
    auto members() { return std::tie(queue); }

    void run() {
        int sum = 0;
        try {
            for (;;)
                sum += queue.get();
        } catch (const mp::queue_closed_error&) {
            std::cout << "the sum is " << sum << std::endl;
        }
    }
};

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    producer p;
    consumer c;
    p.count = 10;
    c.queue = p.queue; // a handle: the same queue
    c.start();
    p.start();
    p.join();
    c.join();
    std::cout << "ended with " << *p.exit_code() << " and " << *c.exit_code() << '\n';
}
