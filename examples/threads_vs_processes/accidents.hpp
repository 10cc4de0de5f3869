// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Work that does not end well: what is left of a program when one of its tasks crashes, or never
// ends?

#include "results.hpp"
#include "screen.hpp"

#include <coproc/pool.hpp>

#include <string_view>

namespace demo {

accident accident_of_a_crash(screen& screen, coproc::pool& processes);
accident accident_without_end(screen& screen, coproc::pool& processes);

/// What would take this program with it is tried out in another: the same one, started with
/// "--accident". `which` is one of "crash-serial", "crash-threads", "endless-serial",
/// "endless-threads".
int run_accident(std::string_view which);

} // namespace demo
