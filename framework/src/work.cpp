// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/backend.hpp>
#include <coproc/detail/work.hpp>

#include <algorithm>

namespace coproc::detail {

namespace {

std::chrono::nanoseconds first_of(const std::optional<duration>& own, const std::optional<duration>& pool_default) {
    const auto& chosen = own ? own : pool_default;
    // A timeout of zero is over at once; zero means none inside.
    return chosen ? std::max<std::chrono::nanoseconds>(*chosen, std::chrono::nanoseconds{1})
                  : std::chrono::nanoseconds{0};
}

} // namespace

work_settings::work_settings(const task_options& own, const task_options& pool_defaults)
    : timeout{first_of(own.timeout, pool_defaults.timeout)},
      queue_timeout{first_of(own.queue_timeout, pool_defaults.queue_timeout)},
      retries{own.retries != 0 ? own.retries : pool_defaults.retries},
      priority{own.priority != 0 ? own.priority : pool_defaults.priority},
      chunk_size{own.chunk_size != 0 ? own.chunk_size : pool_defaults.chunk_size} {
    const auto text = !own.label.empty() ? own.label : pool_defaults.label;
    if (!text.empty()) label = std::make_unique<const std::string>(text);
}

work::work(result_core& core, backend_ptr pool, work_settings settings, std::uint64_t items, bool more_to_come)
    : core_{core}, pool_{std::move(pool)}, settings_{std::move(settings)}, end_{items}, more_to_come_{more_to_come} {}

std::uint64_t work::waiting_items() const noexcept {
    auto n = end_ - std::min(next_, end_);
    if (returned_)
        for (const auto& r : *returned_) n += r.count;
    return n;
}

} // namespace coproc::detail
