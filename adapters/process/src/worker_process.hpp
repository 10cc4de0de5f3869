// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The parent's handle of one worker process: how it is started, its channel, and how it ended. No
// I/O loop here: the backend watches doorbell() and pidfd(), both become readable.

#include <coproc/detail/cpus.hpp>
#include <coproc/start_method.hpp>
#include <os/unique_fd.hpp>
#include <src/channel.hpp>
#include <src/tagged_output.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>

namespace coproc::detail {

class forkserver;

struct launch_request {
    start_method method = start_method::spawn;
    std::string name = "worker"; ///< shows in ps and as the thread's name
    unsigned omp_threads = 0; ///< OMP_NUM_THREADS, unless the environment has it; 0: leave it alone
    std::chrono::nanoseconds spin = {}; ///< how long the idle worker may spin before it sleeps
    bool tag_output = false;            ///< its lines come out with its name in front
    cpu_set cpus = {};                  ///< what it is bound to; empty: not at all
};

class worker_process {
public:
    /// Of a worker whose end somebody else collected.
    static constexpr int unknown_exit_code = 255;

    worker_process(const worker_process&) = delete;
    worker_process& operator=(const worker_process&) = delete;
    /// Kills and reaps a worker that still runs. (In a forked copy of the program: nothing.)
    ~worker_process();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] start_method method() const noexcept { return method_; }

    /// Readable once the process has ended.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    /// Readable when the worker has rung: after endpoint::arm(), see os::quiet().
    [[nodiscard]] int doorbell() const noexcept { return channel_.bell(); }
    [[nodiscard]] int socket() const noexcept { return channel_.socket(); }
    [[nodiscard]] endpoint& channel() noexcept { return channel_; }
    [[nodiscard]] const endpoint& channel() const noexcept { return channel_; }

    /// Null unless its output is tagged.
    [[nodiscard]] tagged_output* output() const noexcept { return output_.get(); }

    /// SIGKILL to the worker and all processes it started (its process group). Returns at once;
    /// pidfd() tells when it has ended. Does nothing once it has been reaped. Thread safe.
    void kill() noexcept;

    /// The exit code, negative for a signal as in Python, once the process has ended; the same ever
    /// after. What it left of its process group is killed. Never waits for the process. Thread
    /// safe.
    std::optional<int> try_reap() noexcept;
    /// Waits for the end.
    std::optional<int> reap(std::chrono::nanoseconds timeout) noexcept;

    /// What the crash handler wrote; for after the death.
    [[nodiscard]] std::optional<crash_report> crash() const { return channel_.crash(); }

    /// For launch(): first the channel, then the process that runs at its other end.
    worker_process(const launch_request& request, channel_descriptors channel);
    void adopt(pid_t pid, os::unique_fd pidfd, std::shared_ptr<forkserver> server = {});

private:
    [[nodiscard]] bool ours() const noexcept;

    unsigned generation_; // of forks: the copy of this object in a forked child has no say
    pid_t pid_ = 0;
    std::string name_;
    start_method method_;
    os::unique_fd pidfd_;
    endpoint channel_;
    std::shared_ptr<tagged_output> output_;
    std::shared_ptr<forkserver> server_; // it reaps its children; null: they are ours
    std::mutex mutex_; // between a signal and the reaping, after which the pid is somebody else's
    std::optional<int> exit_code_;
};

/// Starts a worker process. Returns when it has been started, not when it is ready: see handshake.
/// Throws std::system_error or bootstrap_error, and leaves nothing behind then. Thread safe. With
/// start_method::fork the child goes its own way inside and does not return.
std::unique_ptr<worker_process> launch(const launch_request& request);

/// Exits, after telling the parent, if this process was started as a worker but its main never
/// entered coproc::runtime: what it was about to do would start workers without end. Called before
/// a pool starts workers.
void refuse_if_worker_without_runtime();

/// Whether this process is a worker of a pool.
bool in_worker_process() noexcept;

} // namespace coproc::detail
