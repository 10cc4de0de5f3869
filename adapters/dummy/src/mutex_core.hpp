// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/waiting.hpp>

#include <atomic>
#include <cstdint>

namespace coproc::detail::threads {

/// What the handles of a dummy::mutex refer to. Uncontended it is one word; with others waiting,
/// unlock hands it to the one who has waited longest.
class mutex_core final : public std::enable_shared_from_this<mutex_core> {
public:
    using lock_operation = pending_on<void, mutex_core>;

    [[nodiscard]] bool try_now() noexcept {
        auto expected = unlocked;
        return state_.compare_exchange_strong(expected, locked, std::memory_order_acquire,
                                              std::memory_order_relaxed);
    }
    [[nodiscard]] bool held() const noexcept {
        return state_.load(std::memory_order_relaxed) != unlocked;
    }
    /// False if it is not locked.
    bool unlock() noexcept;

    [[nodiscard]] boost::intrusive_ptr<lock_operation> start();
    bool withdraw(lock_operation& op) noexcept;
    bool cancel(lock_operation& op) noexcept;

    /// True: it is locked now on behalf of `w`. False: `w` is woken when it is.
    [[nodiscard]] bool lock_for(waiter& w) noexcept;

private:
    enum state : std::uint8_t { unlocked, locked, contended };

    std::atomic<state> state_{unlocked};
    std::mutex mutex_; // of the list; with anyone in it, the state is `contended`
    wait_list waiting_;
};

} // namespace coproc::detail::threads
