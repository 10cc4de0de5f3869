// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/waiting.hpp>

#include <thread>

namespace coproc::detail::threads {

/// A lock that is owned by a thread, which may take it again: behind recursive_mutex, and beside
/// the values of shared_value and shared_array.
class recursive_core {
public:
    recursive_core() = default;
    recursive_core(const recursive_core&) = delete;
    recursive_core& operator=(const recursive_core&) = delete;

    void lock() { lock_until({}); }
    [[nodiscard]] bool try_lock();
    bool lock_until(const deadline& until);
    /// Throws std::logic_error if this thread does not own it.
    void unlock();

    [[nodiscard]] bool mine() const;
    /// Lets go of it, however often this thread has locked it; that is what relock() needs.
    [[nodiscard]] std::size_t unlock_all();
    void relock(std::size_t depth);

private:
    class lock_operation;

    [[nodiscard]] bool take(std::thread::id who) noexcept;
    void pass_on(wake_list& wake) noexcept;

    mutable std::mutex mutex_;
    std::thread::id owner_; // of no thread: unlocked
    std::size_t depth_ = 0;
    wait_list waiting_;
};

} // namespace coproc::detail::threads
