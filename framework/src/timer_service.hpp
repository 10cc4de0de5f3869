// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace coproc::detail {

/// Calls back at a given time, on one thread for the whole program, which starts at the first use
/// and is never stopped: at exit it may be in the middle of anything, and nothing waits for it.
/// After a fork the child has a service of its own, without the parent's entries. Thread safe.
class timer_service {
public:
    using time_point = steady::time_point;
    using entry = std::pair<time_point, std::uint64_t>;

    static timer_service& instance();

    /// Starts the thread now, so that later calls need not. Throws std::system_error.
    void start();
    /// `callback` must be short, must not throw and must not run a user's code. A time that has
    /// passed means at once.
    entry call_at(time_point when, std::function<void()> callback);
    /// Drops what has not been called yet. It does not wait for a callback that runs.
    void cancel(const entry& which);

private:
    timer_service() = default;
    void run() noexcept;
    void start_thread();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<entry, std::function<void()>> entries_;
    std::uint64_t last_ = 0;
    bool running_ = false;
};

} // namespace coproc::detail
