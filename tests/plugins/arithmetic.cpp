// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A library for tests: its functions are sent to processes that have not loaded it.

#include <cstdlib>

extern "C" int plugin_plus(int a, int b) { return a + b; }
extern "C" int plugin_minus(int a, int b) { return a - b; }

// For crashes: an odd number aborts.
extern "C" int plugin_halve(int a) {
    if (a % 2 != 0) std::abort();
    return a / 2;
}
