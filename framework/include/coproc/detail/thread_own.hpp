// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace coproc::detail {

/// The calling thread's own T, one for each type. Null once the objects of the thread have been
/// destroyed: the destructors of others, and of static objects, may still use a pool.
template <class T>
T* thread_own() noexcept {
    thread_local bool gone = false; // trivial: it can be looked at until the thread has ended
    struct lasting {
        T value{};
        ~lasting() { gone = true; }
    };
    thread_local lasting kept;
    return gone ? nullptr : &kept.value;
}

} // namespace coproc::detail
