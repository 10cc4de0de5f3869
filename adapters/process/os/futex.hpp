// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A 32-bit word in shared memory that processes can sleep on.

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <optional>

namespace coproc::detail::os {

using futex_word = std::atomic<std::uint32_t>;
static_assert(futex_word::is_always_lock_free && sizeof(futex_word) == 4);

/// Sleeps while the word has the expected value, at most until the timeout. May wake up for no
/// reason. False: the time is up.
bool futex_wait(const futex_word& word, std::uint32_t expected,
                std::optional<std::chrono::nanoseconds> timeout = {}) noexcept;

/// Wakes sleepers; returns how many there were.
int futex_wake(futex_word& word, int count = INT_MAX) noexcept;

} // namespace coproc::detail::os
