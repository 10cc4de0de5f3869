// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <os/unique_fd.hpp>

namespace coproc::detail::os {

/// A counter to poll for; never blocks.
unique_fd make_eventfd();
/// False: that is no eventfd (any more).
bool ring(int eventfd) noexcept;
/// Silences it; true if it had been rung.
bool quiet(int eventfd) noexcept;

} // namespace coproc::detail::os
