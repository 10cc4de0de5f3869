// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Single calls: apply waits for its result, apply_async gives at once a handle of it.

#include <coproc/coproc.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

namespace mp = coproc; // on threads: namespace mp = coproc::dummy;

std::string shout(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i)
        all += text + '!';
    return all;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{4};

    // One call, waited for.
    std::cout << pool.apply(shout, "ahoy", 1) << '\n';

    // One by one: between submitting and asking there is time for other things.
    mp::async_result<std::string> echo = pool.apply_async(shout, "land", 2);
    std::cout << "working ...\n" << echo.get() << '\n';

    // Many: they run side by side, whatever the order in which they are asked for. Lambdas without
    // captures will do as well as functions.
    std::vector<mp::async_result<int>> cubes;
    for (int x = 1; x <= 10; ++x)
        cubes.push_back(pool.apply_async([](int n) { return n * n * n; }, x));
    for (auto& cube : cubes)
        std::cout << cube.get(std::chrono::seconds{30}) << ' '; // get may be given a limit
    std::cout << '\n';
}
