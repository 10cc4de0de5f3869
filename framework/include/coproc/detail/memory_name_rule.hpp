// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What may be the name of shared memory, between processes and between threads.

#include <cstddef>
#include <string_view>

namespace coproc::detail {

inline constexpr std::size_t longest_memory_name = 80;

/// *Exceptions*: std::invalid_argument for what is not a name.
void check_memory_name(std::string_view name);

} // namespace coproc::detail
