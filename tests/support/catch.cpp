// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The source that carries the tests' precompiled header; main.cpp has to go without.

#include "catch.hpp"
