// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The tests' main() is Catch2's own; coproc::main goes before it. With Catch2 3 it comes in an
// archive of Catch2, with Catch2 2 this file becomes the archive.

#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#endif
#include "catch.hpp"
