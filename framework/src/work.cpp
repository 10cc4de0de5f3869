// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/work.hpp>

#include <coproc/detail/backend.hpp>

#include <algorithm>

namespace coproc::detail {

namespace {

std::chrono::nanoseconds none_is_zero(const std::optional<duration>& chosen) {
    // A timeout of zero is over at once; zero means none inside.
    return chosen ? std::max<std::chrono::nanoseconds>(*chosen, std::chrono::nanoseconds{1})
                  : std::chrono::nanoseconds{0};
}

} // namespace

task_options merged(task_options own, const task_options& below) noexcept {
    if (!own.timeout) own.timeout = below.timeout;
    if (!own.queue_timeout) own.queue_timeout = below.queue_timeout;
    if (own.retries == 0) own.retries = below.retries;
    if (own.priority == 0) own.priority = below.priority;
    if (own.chunk_size == 0) own.chunk_size = below.chunk_size;
    if (own.label.empty()) own.label = below.label;
    return own;
}

// For every call: what merged() would make is not made, but read where it stands.
[[gnu::hot]] work_settings::work_settings(const task_options& own, const task_options& below)
    : timeout{none_is_zero(own.timeout ? own.timeout : below.timeout)},
      queue_timeout{none_is_zero(own.queue_timeout ? own.queue_timeout : below.queue_timeout)},
      retries{own.retries != 0 ? own.retries : below.retries},
      priority{own.priority != 0 ? own.priority : below.priority},
      chunk_size{own.chunk_size != 0 ? own.chunk_size : below.chunk_size} {
    const std::string_view text = own.label.empty() ? below.label : own.label;
    if (!text.empty()) label = std::make_unique<const std::string>(text);
}

[[gnu::hot]] work::work(result_core& core, backend_ptr pool, work_settings settings,
                        std::uint64_t items, bool more_to_come)
    : core_{core},
      pool_{std::move(pool)},
      settings_{std::move(settings)},
      end_{items},
      more_to_come_{more_to_come} {}

std::uint64_t work::waiting_items() const noexcept {
    auto n = end_ - std::min(next_, end_);
    if (returned_)
        for (const auto& r : *returned_)
            n += r.count;
    return n;
}

} // namespace coproc::detail
