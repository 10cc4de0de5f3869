// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a worker does in its last moment: a signal handler on a stack of its own writes the signal,
// the address and the frames into the channel, where the parent finds them, and lets the signal
// take its course.

#include <src/channel_layout.hpp>

namespace coproc::detail {

/// For SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT and SIGTRAP, where nobody else (a sanitizer, the
/// program) has one. For the calling thread also on stack overflow.
void install_crash_handler(crash_area& area);

} // namespace coproc::detail
