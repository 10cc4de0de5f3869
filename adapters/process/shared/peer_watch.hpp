// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One descriptor per process that this one shares something with and waits for, on the reactor.
// When such a process ends, the objects shared with it are looked after.

#include <memory>
#include <sys/types.h>

namespace coproc::detail::shared {

class object;

/// From now on the end of the process makes the object look for its dead. False if the system has
/// no descriptor for that. A process that is gone already counts as watched: whoever asks looks
/// afterwards whether the party is dead. Thread safe.
bool watch_peer(pid_t pid, std::weak_ptr<object> interested);

} // namespace coproc::detail::shared
