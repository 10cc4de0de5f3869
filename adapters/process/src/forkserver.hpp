// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The parent's side of the forkserver: a single-threaded process of the same program that forks
// workers on request, reaps them and tells how they ended. One per program, started at the first
// use, once more if it died.

#include <os/unique_fd.hpp>
#include <src/handover.hpp>
#include <src/tagged_output.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>

namespace coproc::detail {

/// What goes over the socket between the two.
struct fork_request {
    std::uint32_t omp_threads = 0;
    char name[252] = {}; // ends with a zero; memory, socket and bell come as descriptors, stdout
                         // and stderr too if they are not the program's
};

struct fork_report {
    enum kind : std::uint32_t { hello, no_runtime, started, failed, ended } what = hello;
    std::int32_t pid = 0;
    std::int32_t value = 0; // failed: errno; ended: the exit code
};

class forkserver {
public:
    struct child {
        pid_t pid;
        os::unique_fd pidfd;
    };

    /// The program's server; starts it if there is none. Throws std::system_error or
    /// bootstrap_error.
    static std::shared_ptr<forkserver> get(unsigned omp_threads);

    forkserver(const forkserver&) = delete;
    forkserver& operator=(const forkserver&) = delete;
    ~forkserver();

    child start(const std::string& name, unsigned omp_threads, channel_numbers parent,
                int child_socket, const tagged_output* output = nullptr);
    /// Of a child that has ended; empty if the server does not know (any more). Waits that long for
    /// its report.
    std::optional<int> exit_code(pid_t pid, std::chrono::nanoseconds patience) noexcept;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] bool broken() const noexcept;

private:
    explicit forkserver(unsigned omp_threads);
    struct delivery {
        fork_report report;
        os::unique_fd pidfd;
    };
    /// The next report that is no `ended` one (those are kept); empty: the time is up, or the
    /// server is gone.
    std::optional<delivery> next(std::chrono::steady_clock::time_point deadline,
                                 bool stop_at_ended);
    void wait_for_hello();

    unsigned generation_;
    pid_t pid_ = 0;
    os::unique_fd pidfd_;
    os::unique_fd socket_;
    mutable std::mutex mutex_;
    bool broken_ = false;
    std::map<pid_t, int> ended_; // reported, not yet asked for
};

/// The server itself.
[[noreturn]] void serve_forks(handover given);

} // namespace coproc::detail
