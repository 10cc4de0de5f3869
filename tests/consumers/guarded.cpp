// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A user's program without the line in main(): it links coproc::main.

#include <coproc/coproc.hpp>

#include <iostream>

int main() {
    coproc::pool pool{1};
    std::cout << pool.apply([](int x) { return 2 * x; }, 21) << std::endl;
}
