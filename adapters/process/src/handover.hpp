// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a process that is started by exec is told about itself: in one environment variable that
// holds its own pid (so that it means nothing to the processes it starts), its role, and the
// numbers of its descriptors.

#include <os/unique_fd.hpp>
#include <src/channel.hpp>

#include <optional>
#include <string>

namespace coproc::detail {

enum class role : char { worker = 'w', forkserver = 's' };

struct handover {
    role as = role::worker;
    channel_descriptors channel; // a forkserver has the socket only
    os::unique_fd parent;        // pidfd of the program
    std::string name;
};

inline constexpr const char* handover_variable = "COPROC_WORKER";
inline constexpr std::size_t handover_pid_digits = 10;

/// "COPROC_WORKER=0000000000 w 5 6 7 8 name", with a place for the pid that the new process fills
/// in itself.
std::string handover_text(role as, int memory, int socket, int bell, int parent,
                          const std::string& name);
/// Where the digits of the pid go.
char* handover_pid_slot(char* text) noexcept;

/// Takes it out of the environment; empty if this process was not started by the library. Once.
std::optional<handover> take_handover();

} // namespace coproc::detail
