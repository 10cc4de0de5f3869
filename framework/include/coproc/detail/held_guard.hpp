// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <mutex>

namespace coproc::detail {

/// The std::unique_lock, if it is one, whose mutex is let go of by a wait. When that ends without
/// the mutex, the lock must not unlock it: its destructor would throw.
class held_guard {
public:
    held_guard() noexcept = default;
    template <class Mutex>
    explicit held_guard(std::unique_lock<Mutex>& guard) noexcept
        : guard_{&guard},
          release_{[](void* g) noexcept { static_cast<std::unique_lock<Mutex>*>(g)->release(); }} {}

    /// While the lock is there.
    void release() const noexcept {
        if (guard_ != nullptr) release_(guard_);
    }

private:
    void* guard_ = nullptr;
    void (*release_)(void*) noexcept = nullptr;
};

} // namespace coproc::detail
