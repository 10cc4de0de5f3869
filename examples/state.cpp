// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Functions with state, and what they may be given: no captures, but everything else.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

// An aggregate travels as it is ...
struct order {
    std::string customer;
    std::map<std::string, int> articles;
    std::optional<std::chrono::seconds> delivery;
};

// ... any other class names its state.
class account {
public:
    account() = default;
    explicit account(int cents) : cents_{cents} {}
    void charge(int cents) { cents_ -= cents; }
    int cents() const { return cents_; }
    auto members() { return std::tie(cents_); }

private:
    int cents_ = 0;
};

// A function object whose members can travel is as good as a function.
struct times {
    int factor;
    int operator()(int x) const { return factor * x; }
};

account pay(const std::map<std::string, int>& prices, account from, const order& what) {
    for (const auto& [article, count] : what.articles)
        from.charge(prices.at(article) * count);
    return from;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{2};

    for (int x : pool.map(times{7}, {1, 2, 3}))
        std::cout << x << ' ';
    std::cout << '\n';

    // What a lambda would capture is bound instead; a capture itself does not compile, and the
    // message says so.
    const std::map<std::string, int> prices{{"tea", 250}, {"cake", 475}};
    const std::vector<std::tuple<account, order>> payments{
        {account{1000}, order{"Ada", {{"tea", 2}}, {}}},
        {account{2000}, order{"Alan", {{"tea", 1}, {"cake", 3}}, std::chrono::seconds{60}}}};
    for (const account& left : pool.starmap(mp::bind_front(pay, prices), payments))
        std::cout << left.cents() << " left\n";
}
