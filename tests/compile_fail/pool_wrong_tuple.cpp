// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: the function cannot be called with these arguments as they arrive

#include <coproc/pool.hpp>

#include <tuple>
#include <vector>

int main() {
    coproc::pool pool;
    pool.starmap([](int a, int b) { return a + b; }, std::vector<std::tuple<int>>{{1}});
}
