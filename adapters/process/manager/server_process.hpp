// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The process in which a manager's server runs: a worker whose only call is to serve.

#include <src/worker_process.hpp>

#include <manager/server.hpp>
#include <memory>
#include <string>

namespace coproc::detail {

class server_process {
public:
    /// Blocks until the process is ready to serve. Throws bootstrap_error, std::system_error.
    server_process(const std::string& name, const server_settings& settings, os::unique_fd local,
                   os::unique_fd remote);
    server_process(const server_process&) = delete;
    server_process& operator=(const server_process&) = delete;
    /// Ends it by force, if it has not ended.
    ~server_process();

    [[nodiscard]] pid_t pid() const noexcept { return process_->pid(); }
    [[nodiscard]] bool has_ended() noexcept { return process_->try_reap().has_value(); }
    /// False: it is still there after this time.
    bool wait_until_ended(std::chrono::nanoseconds timeout) noexcept {
        return process_->reap(timeout).has_value();
    }
    void kill() noexcept { process_->kill(); }
    /// "" as long as it runs.
    [[nodiscard]] std::string how_it_ended();

private:
    void greet();

    std::unique_ptr<worker_process> process_;
};

} // namespace coproc::detail
