// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/work.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace coproc::detail {

/// Works on their way to the dispatcher. Any thread leaves one without a lock; who holds the pool's
/// lock fetches them all, first in, first out. Intrusive, and it keeps what it holds alive.
///
/// What was left must be fetched by somebody: leave() tells who finds it empty, and that thread
/// then asks whether anybody is going to look. Both sides' steps are sequentially consistent
/// (leave, then ask; stop looking, then any_left), so that at least one of them sees the other.
class work_inbox {
public:
    work_inbox() = default;
    work_inbox(const work_inbox&) = delete;
    work_inbox& operator=(const work_inbox&) = delete;
    ~work_inbox();

    enum class answer : std::uint8_t { first, more, shut };

    /// `shut`: it was not taken.
    answer leave(work& w) noexcept;
    /// Something is there to be fetched.
    [[nodiscard]] bool any_left() const noexcept {
        const auto* head = head_.load(std::memory_order_seq_cst);
        return head != nullptr && head != shut_mark();
    }

    // --- under the pool's lock --------------------------------------------------------------------
    /// Takes what was left to those fetched before; whether there are any.
    bool fetch() noexcept;
    /// From now on nothing can be left; what was has been fetched.
    void shut() noexcept;
    [[nodiscard]] std::size_t fetched() const noexcept { return fetched_; }
    /// The first one fetched; not when there is none.
    work_ptr pop() noexcept;
    /// What was popped but not begun comes first again, in this order.
    void put_back(std::span<work* const> works) noexcept;

private:
    /// An address that no work has.
    static work* shut_mark() noexcept { return reinterpret_cast<work*>(&shut_place); }
    void append(work* newest_first) noexcept;

    alignas(work) static char shut_place;

    std::atomic<work*> head_{nullptr}; // the newest; each refers to the one before it
    work* first_ = nullptr;            // fetched, oldest first
    work* last_ = nullptr;
    std::size_t fetched_ = 0;
};

} // namespace coproc::detail
