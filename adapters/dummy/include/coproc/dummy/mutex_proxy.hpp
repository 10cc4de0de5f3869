// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/mutex.hpp>

namespace coproc::dummy {

/// coproc::mutex_proxy among the threads of one program: its mutex.
using mutex_proxy = mutex;

} // namespace coproc::dummy
