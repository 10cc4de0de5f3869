// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/event.hpp>

namespace coproc::dummy {

/// coproc::event_proxy among the threads of one program: its event.
using event_proxy = event;

} // namespace coproc::dummy
