// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A library for tests: its functions are sent to processes that have not loaded it.

extern "C" int plugin_plus(int a, int b) { return a + b; }
extern "C" int plugin_minus(int a, int b) { return a - b; }
