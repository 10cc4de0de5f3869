// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The callbacks of results that are found together, brought to their thread together.

#include <cstddef>

namespace coproc::detail {

class callback;

/// While it is there, what its thread queues for the library's own is gathered, and handed over
/// when it goes, or when much has come together: one wake-up for many callbacks, one cache line of
/// that thread's taken once. Who calls something in between that may take long hands over before.
class callback_batch {
public:
    callback_batch() noexcept;
    callback_batch(const callback_batch&) = delete;
    callback_batch& operator=(const callback_batch&) = delete;
    ~callback_batch();

    /// How many there were, those included that have been handed over.
    [[nodiscard]] std::size_t seen() const noexcept { return seen_; }
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

    /// What this thread has gathered so far.
    static void hand_over() noexcept;
    /// False: this thread does not gather.
    static bool add(callback& what) noexcept;

private:
    void clear() noexcept;

    callback_batch* const outer_;
    callback* first_ = nullptr;
    callback* last_ = nullptr;
    std::size_t count_ = 0;
    std::size_t seen_ = 0;
};

} // namespace coproc::detail
