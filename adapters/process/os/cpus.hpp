// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/cpus.hpp>

#include <sched.h>
#include <string_view>
#include <vector>

namespace coproc::detail::os {

/// The system's notation, "0-3,8,10-11"; what cannot be read ends the list.
std::vector<unsigned> parse_cpu_list(std::string_view text);

/// The CPU that this thread runs on, or did a moment ago.
inline unsigned this_cpu() noexcept { return static_cast<unsigned>(::sched_getcpu()); }

} // namespace coproc::detail::os
