// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A class of one's own that is a process: what it needs is named in members(), what it does stands
// in run().

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

struct shopper : mp::process_base<shopper> {
    std::string shop;
    std::vector<std::string> list;

    auto members() { return std::tie(shop, list); } // what travels

    void run() { // in the child, on an object that is made there
        std::string line = name() + " buys at the " + shop + ':';
        for (const auto& thing : list)
            line += ' ' + thing;
        std::cout << line + '\n';
        list.clear(); // the child's own
    }
};

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    shopper anna;
    anna.name("Anna");
    anna.shop = "bakery";
    anna.list = {"bread", "rolls"};

    shopper ben;
    ben.name("Ben");
    ben.shop = "greengrocer";
    ben.list = {"apples", "leeks", "plums"};

    anna.start();
    ben.start();
    anna.join();
    ben.join();
    std::cout << "the lists at home have " << anna.list.size() << " and " << ben.list.size()
              << " lines\n";
}
