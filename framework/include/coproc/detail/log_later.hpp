// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// To put an exception into words can take a tenth of a second, since its backtrace needs names. A
// thread that others depend on leaves that to one that has nothing else to do.

#include <functional>

namespace coproc::detail {

/// Runs it on a thread of the library's own, after those before. *Exceptions*: when there is no
/// thread or no memory to be had; then it has not run, and will not.
void log_later(std::function<void()> what);

/// When all of that has run: at once if nothing is left. So a pool has told of its tasks when it
/// has been joined.
void after_logging(std::function<void()> then) noexcept;

} // namespace coproc::detail
