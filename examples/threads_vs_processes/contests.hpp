// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Work that ends well: how long does it take one after the other, on threads, on processes?

#include "results.hpp"
#include "screen.hpp"

#include <coproc/dummy/pool.hpp>
#include <coproc/pool.hpp>

namespace demo {

/// The two pools differ in nothing but their type: this is the one-word switch.
struct pools {
    coproc::dummy::pool& threads;
    coproc::pool& processes;
};

contest contest_of_primes(screen& screen, pools pools, bool quick);
contest contest_of_identifiers(screen& screen, pools pools, bool quick);
contest contest_of_interpreters(screen& screen, pools pools, bool quick);

} // namespace demo
