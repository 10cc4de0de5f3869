// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: a raw pointer .* means nothing in another process

#include <coproc/pool.hpp>

int main() {
    int n = 1;
    coproc::pool pool;
    pool.apply([](int* p) { return *p; }, &n);
}
