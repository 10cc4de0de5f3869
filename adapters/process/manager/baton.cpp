// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/baton.hpp>

#include <os/signals.hpp>

#include <pthread.h>
#include <system_error>
#include <thread>
#include <utility>

namespace coproc::detail {
namespace {

thread_local bool lost_here = false;

} // namespace

bool baton::lost() noexcept { return lost_here; }

void baton::take_part(bool leading, const std::shared_ptr<void>& owner) {
    // This baton is a part of it, and the caller's reference may go meanwhile.
    const auto alive = owner; // NOLINT(performance-unnecessary-copy-initialization)
    bool taken_over = false;
    while (!stopped()) {
        if (leading) {
            lost_here = false;
            hooks_.lead(taken_over);
            leading = false;
        } else {
            stand_by();
            leading = taken_over = true;
        }
    }
}

void baton::stop() {
    {
        const std::scoped_lock lock{mutex_};
        stopped_.store(true, std::memory_order_release);
    }
    wake_.notify_all();
    hooks_.interrupt();
}

std::uint64_t baton::begin_call(const std::shared_ptr<void>& owner) {
    const std::uint64_t number = calls_.load(std::memory_order_relaxed) + 1;
    calls_.store(number, std::memory_order_relaxed);
    call_.store(number, std::memory_order_seq_cst);
    if (watching_.load(std::memory_order_seq_cst)) return number;
    bool start = false;
    {
        const std::scoped_lock lock{mutex_};
        kicked_ = true;
        start = standing_by_ == 0 && threads_ != most_threads;
        if (start) {
            ++threads_;
            ++standing_by_; // it will
        }
    }
    wake_.notify_all();
    if (!start) return number;
    try {
        const os::signal_blocker blocked;
        std::thread thread{[this, owner] {
            ::pthread_setname_np(::pthread_self(), "coproc-manager");
            {
                const std::scoped_lock lock{mutex_};
                --standing_by_;
            }
            take_part(false, owner);
        }};
        thread.detach();
    } catch (const std::system_error&) { // then the call is run without
        const std::scoped_lock lock{mutex_};
        --threads_;
        --standing_by_;
    }
    return number;
}

bool baton::end_call(std::uint64_t number) {
    if (call_.compare_exchange_strong(number, 0, std::memory_order_acq_rel)) return true;
    lost_here = true;
    return false;
}

void baton::stand_by() {
    std::unique_lock lock{mutex_};
    ++standing_by_;
    while (!stopped()) {
        if (watcher_ || !kicked_) {
            wake_.wait(lock);
            continue;
        }
        // The one that watches: as long as there are calls, once in a while.
        watcher_ = true;
        watching_.store(true, std::memory_order_seq_cst);
        std::uint64_t seen = call_.load(std::memory_order_seq_cst);
        std::uint64_t count = calls_.load(std::memory_order_relaxed);
        bool taken = false;
        while (!stopped()) {
            wake_.wait_for(lock, patience);
            std::uint64_t now = call_.load(std::memory_order_seq_cst);
            if (now != 0 && now == seen) {
                taken = call_.compare_exchange_strong(now, 0, std::memory_order_acq_rel);
                if (taken) break;
            }
            const std::uint64_t calls = calls_.load(std::memory_order_relaxed);
            if (now == 0 && calls == count) {
                watching_.store(false, std::memory_order_seq_cst);
                kicked_ = false;
                if (call_.load(std::memory_order_seq_cst) == 0) break; // quiet: sleep
                watching_.store(true, std::memory_order_seq_cst);
                kicked_ = true;
            }
            seen = call_.load(std::memory_order_seq_cst);
            count = calls;
        }
        watching_.store(false, std::memory_order_seq_cst);
        watcher_ = false;
        if (taken) break;
    }
    --standing_by_;
    kicked_ = false;
}

} // namespace coproc::detail
