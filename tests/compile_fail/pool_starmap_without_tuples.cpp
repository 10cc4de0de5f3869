// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: starmap calls the function with the elements of each item

#include <coproc/pool.hpp>

#include <vector>

void add(coproc::pool& pool) {
    pool.starmap([](int a, int b) { return a + b; }, std::vector<int>{1, 2});
}
