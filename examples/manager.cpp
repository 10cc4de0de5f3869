// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A dict and a list that live in a process of their own, and that all processes change:
//
//     with Manager() as manager:
//         d = manager.dict()
//         l = manager.list(range(10))

#include <coproc/coproc.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

void change(const mp::dict_proxy<std::string, int>& d, const mp::list_proxy<int>& l, int number) {
    d.set("worker " + std::to_string(number), number * number);
    l.set(static_cast<std::size_t>(number), -number);
}

// Objects of a class of one's own live there as well: nothing is registered.
class tally {
public:
    int add(int n) { return sum_ += n; }

private:
    int sum_ = 0;
};

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::manager manager;

    auto d = manager.dict<std::string, int>();
    auto l = manager.list<int>();
    for (int i = 0; i < 5; ++i)
        l.push_back(i);

    mp::pool pool{2};
    pool.map(mp::bind_front(change, d, l), std::vector{1, 2, 3}); // proxies are plain arguments

    for (const std::string name : {"worker 1", "worker 2", "worker 3"})
        std::cout << name << ": " << d.at(name) << '\n';
    for (const int x : l.items())
        std::cout << x << ' ';
    std::cout << '\n';

    auto sum = manager.make_locked<tally>(); // locked: one call at a time
    pool.map(mp::bind_front([](auto& s, int n) { s.call(&tally::add, n); }, sum), {1, 2, 3, 4});
    std::cout << "sum: " << sum.call(&tally::add, 0) << '\n';
}
