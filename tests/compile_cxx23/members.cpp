// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A class that names its state, with everything that the library has.

#include <coproc/coproc.hpp>
#include <coproc/ranges.hpp>

#include <string>
#include <tuple>
#include <vector>

namespace {

class account {
public:
    auto members() { return std::tie(owner_, amounts_); }

private:
    std::string owner_;
    std::vector<int> amounts_;
};

class statement {
public:
    auto members() { return std::tie(of_, balance_); }

private:
    account of_;
    int balance_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    static_assert(coproc::sendable<account> && coproc::sendable<statement>);
    coproc::pool pool{1};
    pool.apply([](const account&, statement s) { return s; }, account{}, statement{});
    pool.map([](account a) { return a; }, std::vector<account>(2));
    const coproc::queue<account> queue;
    queue.put(account{});
    static_cast<void>(queue.get());
}
