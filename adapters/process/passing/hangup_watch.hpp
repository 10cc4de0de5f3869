// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Tells when nobody has the other ends of sockets any more, on the reactor; and nothing else that
// happens to them.

#include <memory>

namespace coproc::detail {

class pipe_end;

/// Calls on_hangup() once, when the end's socket hangs up, now or later. Throws std::system_error.
void watch_hangup(const std::shared_ptr<pipe_end>& end);
/// Before the socket is closed.
void forget_hangup(const pipe_end& end) noexcept;

} // namespace coproc::detail
