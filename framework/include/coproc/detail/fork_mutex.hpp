// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <mutex>

namespace coproc::detail {

/// A mutex that no other thread holds while one forks, so the child finds what it guards whole, and
/// free. For objects that are never destroyed, and for a short time: who holds one takes no other
/// lock of the library's and runs none of the program's code.
class fork_mutex {
public:
    fork_mutex();
    fork_mutex(const fork_mutex&) = delete;
    fork_mutex& operator=(const fork_mutex&) = delete;

    void lock() { mutex_.lock(); }
    void unlock() { mutex_.unlock(); }

private:
    friend struct fork_mutexes;
    std::mutex mutex_;
    fork_mutex* next_ = nullptr;
};

} // namespace coproc::detail
