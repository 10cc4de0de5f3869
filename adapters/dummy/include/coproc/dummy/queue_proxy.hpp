// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/queue.hpp>

namespace coproc::dummy {

/// coproc::queue_proxy among the threads of one program: its queue.
template <class T>
using queue_proxy = queue<T>;

} // namespace coproc::dummy
