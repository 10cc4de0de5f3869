// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One thread at a time leads: it waits for the clients and serves them. It also runs the calls on
// users' objects itself, because handing a call to another thread and its result back costs more
// than most calls. A call that takes longer than a millisecond loses it the lead: another thread
// takes over, and the first one, once its call is done, stands by in turn. So a call may wait for
// another client's, and no call pays for that possibility.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace coproc::detail {

class baton {
public:
    static constexpr std::chrono::milliseconds patience{1};
    static constexpr unsigned most_threads = 256;

    /// `lead(taken_over)` serves until stop() or until it has lost the lead; `interrupt` ends the
    /// leader's wait for clients. Threads that stand by keep `owner` alive.
    struct hooks {
        std::function<void(bool taken_over)> lead{};
        std::function<void()> interrupt{};
    };
    explicit baton(hooks what) : hooks_{std::move(what)} {}
    baton(const baton&) = delete;
    baton& operator=(const baton&) = delete;

    /// Leads, or stands by, until stop().
    void take_part(bool leading, const std::shared_ptr<void>& owner);
    void stop();

    /// The leader, around a call.
    [[nodiscard]] std::uint64_t begin_call(const std::shared_ptr<void>& owner);
    /// False: somebody else leads now.
    [[nodiscard]] bool end_call(std::uint64_t number);
    /// Whether the calling thread has lost the lead.
    [[nodiscard]] static bool lost() noexcept;
    [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

private:
    void stand_by();

    hooks hooks_;
    std::atomic<std::uint64_t> call_{0}; // under way; 0: none
    std::atomic<std::uint64_t> calls_{0};
    std::atomic<bool> watching_{false};
    std::atomic<bool> stopped_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    unsigned threads_ = 1; // with the first leader
    unsigned standing_by_ = 0;
    bool watcher_ = false; // one of them looks at the clock
    bool kicked_ = false;
};

} // namespace coproc::detail
