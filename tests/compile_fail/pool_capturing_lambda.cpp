// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: a lambda with captures .*bind_front

#include <coproc/pool.hpp>

#include <vector>

int main() {
    int n = 1;
    coproc::pool pool;
    std::vector<int> results = pool.map([&n](int x) { return n + x; }, std::vector<int>{1});
    return results.front();
}
