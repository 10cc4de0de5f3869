// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A block of memory with a name: for processes that nobody could give a handle to.

#include <coproc/coproc.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <string>
#include <system_error>
#include <unistd.h>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

long sum(const std::string& name) {
    const auto block = mp::shared_memory::open(name);
    long total = 0;
    for (const std::byte b : block.bytes())
        total += std::to_integer<long>(b);
    return total;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{1};

    const std::string name = "example-" + std::to_string(::getpid());
    auto block = mp::shared_memory::create(name, 1000);
    std::ranges::fill(block.bytes(), std::byte{3});
    std::cout << "the sum is " << pool.apply(sum, name) << '\n';

    block = {}; // the owner's last handle: the name goes
    try {
        pool.apply(sum, name);
    } catch (const std::system_error& e) {
        std::cout << "then: " << e.code().message() << '\n';
    }
}
