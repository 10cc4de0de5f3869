// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// One of two libraries that differ: a test puts the one in the other's place.

extern "C" int replaceable(int x);

extern "C" int replaceable(int x) { return x < 0 ? 17 : 3 * x + 1; }
