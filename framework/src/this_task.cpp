// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/this_task.hpp>

namespace coproc {

namespace detail {

namespace {
thread_local running_task* current_task = nullptr;
}

running_task* running_task::current() noexcept { return current_task; }

[[gnu::hot]] running_task::scope::scope(running_task& task) noexcept : outer_{current_task} {
    current_task = &task;
}
[[gnu::hot]] running_task::scope::~scope() { current_task = outer_; }

} // namespace detail

namespace this_task {

std::string label() {
    const auto* task = detail::running_task::current();
    return task != nullptr ? std::string{task->label} : std::string{};
}

std::stop_token stop_token() noexcept {
    const auto* task = detail::running_task::current();
    return task != nullptr ? task->stop_token() : std::stop_token{};
}

void report_progress(std::uint64_t done, std::uint64_t total) {
    if (auto* task = detail::running_task::current()) task->report_progress(done, total);
}

unsigned attempt() noexcept {
    const auto* task = detail::running_task::current();
    return task != nullptr ? task->attempt : 0;
}

} // namespace this_task
} // namespace coproc
