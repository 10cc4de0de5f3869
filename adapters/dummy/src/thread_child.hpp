// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A thread that plays a process, with children of its own.

#include <coproc/detail/child.hpp>
#include <coproc/dummy/detail/thread_target.hpp>
#include <coproc/this_task.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace coproc::detail {

class thread_child final : public child, private running_task {
public:
    thread_child(process_options options, std::unique_ptr<thread_target> target);
    ~thread_child() override;

    /// `target`: null: the one it was made with.
    void start(std::unique_ptr<thread_target> target);

    [[nodiscard]] pid_t pid() const noexcept override;
    /// Those that its target starts.
    [[nodiscard]] const family_ptr& children() const noexcept { return children_; }
    /// Of the process that made it; empty: the program itself.
    [[nodiscard]] const boost::intrusive_ptr<thread_child>& parent() const noexcept {
        return parent_;
    }

    /// The name it was started under; on its own thread, and on those of its children.
    [[nodiscard]] const std::string& own_name() const noexcept { return own_name_; }

    static thread_child* current() noexcept;

private:
    void main(std::unique_ptr<thread_target> target) noexcept;
    int run(thread_target& target) noexcept;

    void send(request how) noexcept override;
    [[nodiscard]] bool is_caller() const noexcept override;
    void collect() noexcept override;

    [[nodiscard]] std::stop_token stop_token() const noexcept override { return stop_.get_token(); }
    void report_progress(std::uint64_t, std::uint64_t) override {}

    const boost::intrusive_ptr<thread_child> parent_;
    const family_ptr children_;
    std::unique_ptr<thread_target> target_; // until it is started
    std::string own_name_;                  // set before the thread starts
    std::atomic<bool> started_{false};
    std::atomic<int> asked_{0}; // 0, or the signal that a process would have got
    std::stop_source stop_;
    std::mutex thread_mutex_;
    std::thread thread_;
};

} // namespace coproc::detail
