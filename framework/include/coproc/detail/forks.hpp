// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The child of a fork has the one thread that forked, and copies of what the others were about.

#include <atomic>
#include <concepts>
#include <utility>

namespace coproc::detail {

/// Changed by a handler of fork alone.
extern std::atomic<unsigned> forks_so_far;

/// How many forks lie between the program's start and this process: an object that remembers
/// another number belongs to an ancestor, and its processes and threads are not ours to stop or
/// join.
[[nodiscard]] inline unsigned count_forks() noexcept {
    return forks_so_far.load(std::memory_order_relaxed);
}

/// Handlers that are registered with pthread_atfork after this find the count of the child.
void start_counting_forks() noexcept;

/// A static object of a source file, which calls `make` before main, when there is only one thread:
/// a local static that another thread had half made at the moment of a fork would make the child
/// wait for that thread, for ever.
class made_before_main {
public:
    template <std::invocable Make>
    explicit made_before_main(Make&& make) {
        static_cast<void>(std::forward<Make>(make)());
    }
};

} // namespace coproc::detail
