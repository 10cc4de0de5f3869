// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What there is to do: plain functions, that know nothing of where they run.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace demo {

/// Pure computing: how many primes there are in [first, second).
std::uint64_t count_primes(std::pair<std::uint32_t, std::uint32_t> range);

/// What is in the file; nothing if it cannot be read.
std::string read_file(const std::string& path);

using identifier_counts = std::vector<std::pair<std::string, std::uint32_t>>;

/// Files, strings and a result of some size: the identifiers in these files, and how often each
/// stands there.
identifier_counts count_identifiers(const std::vector<std::string>& files);

/// One global lock: runs a small program in an interpreter that one thread of a process can use at
/// a time.
std::uint64_t interpret(std::uint32_t start);

/// Writes through a null pointer if told to.
int may_crash(int item, bool crash);

/// Spins for ever, and does not look at any stop_token.
void never_end();

} // namespace demo
