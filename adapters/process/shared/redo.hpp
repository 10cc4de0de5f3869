// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cassert>
#include <cstddef>
#include <shared/layout.hpp>

namespace coproc::detail::shared {

/// Several stores that count as one, whenever the process dies. Only while the object's guard is
/// held, and one at a time.
///
///     transaction change{base};
///     change.set(state.count, count - 1);
///     change.set(mine.held[0], held + 1);
///     change.commit();
class transaction {
public:
    explicit transaction(std::byte* base) noexcept
        : base_{base}, log_{reinterpret_cast<header*>(base)->redo} {}
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;

    void set(word32& word, std::uint32_t value) noexcept { note(&word, 4, value); }
    void set(word64& word, std::uint64_t value) noexcept { note(&word, 8, value); }

    void commit() noexcept {
        log_.count.store(count_, std::memory_order_release);
        apply(base_, log_, count_);
        log_.count.store(0, std::memory_order_release);
        // The notes of another transaction do not come before.
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    /// Finishes what somebody who died had committed.
    static void recover(std::byte* base) noexcept {
        redo_log& log = reinterpret_cast<header*>(base)->redo;
        apply(base, log, log.count.load(std::memory_order_acquire));
        log.count.store(0, std::memory_order_release);
    }

private:
    void note(void* word, std::uint32_t size, std::uint64_t value) noexcept {
        assert(count_ != redo_log::capacity);
        log_.entries[count_++] = {static_cast<std::uint32_t>(static_cast<std::byte*>(word) - base_),
                                  size, value};
    }
    static void apply(std::byte* base, const redo_log& log, std::uint32_t count) noexcept {
        for (std::uint32_t i = 0; i != count && i != redo_log::capacity; ++i) {
            const auto& e = log.entries[i];
            if (e.size == 4)
                reinterpret_cast<word32*>(base + e.offset)
                    ->store(static_cast<std::uint32_t>(e.value), std::memory_order_release);
            else
                reinterpret_cast<word64*>(base + e.offset)
                    ->store(e.value, std::memory_order_release);
        }
    }

    std::byte* base_;
    redo_log& log_;
    std::uint32_t count_ = 0;
};

} // namespace coproc::detail::shared
