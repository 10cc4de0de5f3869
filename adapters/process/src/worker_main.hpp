// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The life of a worker process, from its start to its end.

#include <os/unique_fd.hpp>
#include <src/channel.hpp>

#include <array>
#include <optional>
#include <string>
#include <sys/types.h>

namespace coproc::detail {

struct worker_start {
    channel_descriptors channel;
    os::unique_fd parent; // pidfd of the program
    std::array<os::unique_fd, 2>
        output; // to become stdout and stderr; empty: they stay as they are
    std::string name;
    unsigned omp_threads = 0; // of a forked worker; others have it in their environment
    bool forked = false;      // a copy of another process: its exit handlers are not ours to run
};

[[noreturn]] void run_worker(worker_start start) noexcept;

/// The process that started this one, if that was the library; its descriptor stays open.
struct parent_of_this {
    pid_t pid;
    int pidfd;
};
std::optional<parent_of_this> parent_of_worker();

/// Shows in ps: the thread's name, and for forked workers the command line, as far as there is
/// room.
void set_process_title(const std::string& name, bool command_line) noexcept;
/// main's arguments: the room for that.
void remember_arguments(int argc, char** argv) noexcept;

/// Ends this process group when the parent does. Never returns an error: a worker without it is
/// refused.
void watch_parent(int socket, int parent_pidfd);

} // namespace coproc::detail
