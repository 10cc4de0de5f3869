// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/semaphore.hpp>

namespace coproc::dummy {

/// coproc::semaphore_proxy among the threads of one program: its semaphore.
using semaphore_proxy = semaphore;

} // namespace coproc::dummy
