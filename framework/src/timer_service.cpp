// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <timer_service.hpp>

#include <atomic>
#include <csignal>
#include <pthread.h>
#include <thread>

namespace coproc::detail {

namespace {

// Leaked, and forgotten by a forked child: its mutex may have been held at the time of the fork.
std::atomic<timer_service*> the_service{nullptr};

// Before main: the child of a fork could do nothing with a local static that is half made.
[[maybe_unused]] const int at_fork = ::pthread_atfork(
    nullptr, nullptr, [] { the_service.store(nullptr, std::memory_order_relaxed); });

} // namespace

timer_service& timer_service::instance() {
    auto* service = the_service.load(std::memory_order_acquire);
    if (service != nullptr) return *service;
    auto* fresh = new timer_service;
    if (the_service.compare_exchange_strong(service, fresh, std::memory_order_acq_rel))
        return *fresh;
    delete fresh;
    return *service;
}

void timer_service::start() {
    const std::scoped_lock lock{mutex_};
    start_thread();
}

timer_service::entry timer_service::call_at(time_point when, std::function<void()> callback) {
    const std::scoped_lock lock{mutex_};
    start_thread();
    const entry added{when, ++last_};
    const auto at = entries_.emplace(added, std::move(callback)).first;
    if (at == entries_.begin()) changed_.notify_one();
    return added;
}

void timer_service::cancel(const entry& which) {
    std::function<void()> dropped; // destroyed without the lock: what it holds may use the service
    const std::scoped_lock lock{mutex_};
    const auto at = entries_.find(which);
    if (at == entries_.end()) return;
    dropped = std::move(at->second);
    entries_.erase(at);
}

void timer_service::start_thread() {
    if (running_) return;
    // Signals are for the program's own threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        std::thread{[this] { run(); }}.detach();
        running_ = true;
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void timer_service::run() noexcept {
    pthread_setname_np(pthread_self(), "coproc-timer");
    std::unique_lock lock{mutex_};
    for (;;) {
        if (entries_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto first = entries_.begin();
        if (const auto when = first->first.first; when > steady::now()) {
            changed_.wait_until(lock, when);
            continue;
        }
        auto callback = std::move(first->second);
        entries_.erase(first);
        lock.unlock();
        callback();
        callback = nullptr;
        lock.lock();
    }
}

} // namespace coproc::detail
