// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

namespace coproc {

namespace detail {

/// What a running task can ask about itself; a backend sets one up around every task it runs.
class running_task {
public:
    running_task() = default;
    running_task(const running_task&) = delete;
    running_task& operator=(const running_task&) = delete;

    std::string_view label{};
    unsigned attempt = 1;

    virtual std::stop_token stop_token() const noexcept { return {}; }
    virtual void report_progress(std::uint64_t done, std::uint64_t total) = 0;

    /// The task that runs on this thread, or null.
    static running_task* current() noexcept;

    /// Makes `task` the current one of this thread for the scope's lifetime.
    class scope {
    public:
        explicit scope(running_task& task) noexcept;
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;
        ~scope();

    private:
        running_task* outer_;
    };

protected:
    ~running_task() = default;
};

} // namespace detail

/// What a task can ask and tell about itself while it runs; on both backends alike. Outside a task:
/// an empty label, a token that never stops, attempt 0, and progress goes nowhere. Thread safety:
/// each call concerns the task of the calling thread.
namespace this_task {

/// The label given in task_options, or "".
std::string label();

/// Asked to stop when the task is cancelled or past its timeout. Threads (`dummy`) can only ask; a
/// process is also stopped by force, so there the token is a courtesy that never fires before the
/// end.
std::stop_token stop_token() noexcept;

/// Tells the caller's `on_progress` how far this task is; `total` 0 means unknown. Cheap; reports
/// that come faster than they are read are merged, the last one is always delivered before the
/// result.
void report_progress(std::uint64_t done, std::uint64_t total);

/// 1 for the first attempt, 2 for the first retry, ...
unsigned attempt() noexcept;

} // namespace this_task
} // namespace coproc
