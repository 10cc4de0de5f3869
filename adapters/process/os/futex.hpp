// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A 32-bit word in shared memory that processes can sleep on.

#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstddef>
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

/// Sleeping on several words at once.
inline constexpr std::size_t most_futexes = 128;

/// Whether the system can (Linux 5.16).
bool can_wait_for_many() noexcept;

/// The words, and the values that they have as long as there is nothing to do.
class futex_list {
public:
    void add(const futex_word& word, std::uint32_t expected) noexcept {
        if (count_ != most_futexes) entries_[count_++] = {expected, &word};
    }
    /// Sleeps while all have these values, at most until the timeout. May wake up for no reason.
    void wait(std::optional<std::chrono::nanoseconds> timeout = {}) const noexcept;

private:
    struct entry {
        std::uint32_t expected;
        const futex_word* word;
    };
    std::array<entry, most_futexes> entries_;
    std::size_t count_ = 0;
};

} // namespace coproc::detail::os
