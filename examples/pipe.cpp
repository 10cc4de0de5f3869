// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A pipe both ways: the ends are arguments like any other, and the stream ends with its last
// sender.

#include <coproc/coproc.hpp>

#include <cctype>
#include <iostream>
#include <string>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

// Receives numbers and sends words.
int count(const mp::connection<std::string, int>& caller) {
    const char* const words[] = {"none", "one", "two", "three"};
    int answered = 0;
    try {
        for (;; ++answered) {
            const int n = caller.recv();
            caller.send(n < 4 ? words[n] : "many");
        }
    } catch (const coproc::end_of_stream_error&) {
        return answered; // the other end is gone
    }
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{1};

    auto [here, there] = mp::pipe<int, std::string>();
    auto answered = pool.apply_async(count, there);
    there.close(); // the worker has it now

    for (const int n : {1, 3, 7}) {
        here.send(n);
        std::cout << n << " is " << here.recv() << '\n';
    }
    here.close();
    std::cout << answered.get() << " answers\n";
}
