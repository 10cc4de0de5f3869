// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/spare_storage.hpp>

namespace coproc::detail {

struct spare_storage::slot {
    kept_value kept{};
    steady::time_point since{};
    unsigned permissions = 0;

    ~slot() {
        const auto last = std::exchange(kept, {});
        if (last.value != nullptr) last.destroy(last.value);
    }
    static slot& of_this_thread() noexcept {
        thread_local slot mine;
        return mine;
    }
};

[[gnu::hot]] spare_storage::permission::permission() noexcept {
    ++slot::of_this_thread().permissions;
}

[[gnu::hot]] spare_storage::permission::~permission() {
    if (--slot::of_this_thread().permissions == 0) drop();
}

bool spare_storage::permitted() noexcept { return slot::of_this_thread().permissions != 0; }

[[gnu::hot]] bool spare_storage::keeps() noexcept {
    return slot::of_this_thread().kept.value != nullptr;
}

void* spare_storage::look(const void* type) noexcept {
    const auto& kept = slot::of_this_thread().kept;
    return kept.type == type ? kept.value : nullptr;
}

[[gnu::hot]] void spare_storage::drop_old(steady::time_point now) noexcept {
    const auto& mine = slot::of_this_thread();
    if (mine.kept.value != nullptr && now - mine.since > std::chrono::seconds{1}) drop();
}

[[gnu::hot]] void spare_storage::exchange(kept_value by) noexcept {
    auto& mine = slot::of_this_thread();
    if (by.value != nullptr) mine.since = steady::now();
    const auto before = std::exchange(mine.kept, by);
    if (before.value != nullptr) before.destroy(before.value);
}

} // namespace coproc::detail
