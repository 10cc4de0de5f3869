// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A process that somebody has made with coproc::process, as its parent sees it. It is started as a
// pool's worker is, gets one message, and is then left alone: the reactor waits for its end.

#include <coproc/detail/child.hpp>
#include <coproc/detail/process_job.hpp>
#include <src/worker_process.hpp>

#include <atomic>
#include <memory>
#include <mutex>

namespace coproc::detail {

class child_watch;

class process_child final : public child {
public:
    process_child(process_options options, std::unique_ptr<const process_job> job);
    /// The calling process itself.
    process_child();

    /// `job`: null: the one it was made with.
    void start(const process_job* job);

    [[nodiscard]] pid_t pid() const noexcept override {
        return pid_.load(std::memory_order_relaxed);
    }

private:
    friend class child_watch;

    void launch(const process_options& settings, const process_job& job);
    /// The watch's last word.
    void watched(int exit_code, std::exception_ptr error) noexcept;
    [[nodiscard]] std::shared_ptr<worker_process> process() const noexcept;

    void send(request how) noexcept override;
    [[nodiscard]] bool has_ended() const noexcept override;
    [[nodiscard]] bool is_caller() const noexcept override { return false; }

    std::atomic<pid_t> pid_{0};
    mutable std::mutex process_mutex_;
    std::shared_ptr<worker_process> process_; // while it runs
    std::atomic<bool> collected_{false};      // it has run, and whoever waits is about to be told
    std::unique_ptr<const process_job> job_;  // until it was sent
};

} // namespace coproc::detail
