// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <coproc/duration.hpp>

#include <atomic>
#include <pthread.h>

namespace coproc::detail {

namespace {

// So long the thread looks for more before it sleeps: waking it up costs its wakers more than this.
constexpr std::chrono::microseconds spin{10};

} // namespace

/// What waits for the library's own thread: a list without a lock, the newest first. Of those who
/// put something into it, the one who finds it empty posts the thread's next turn. While the thread
/// runs what it has taken, a mark in the list says that it will look again.
class callback_queue {
public:
    void put(callback& what) noexcept {
        // Release: the thread reads what the callback refers to. Nothing else is ordered by this.
        callback* newest = newest_.load(std::memory_order_relaxed);
        do
            what.next_ = newest;
        while (!newest_.compare_exchange_weak(newest, &what, std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
        if (newest == nullptr) boost::asio::post(default_callback_executor(), [this] { run(); });
    }
    void forget() noexcept { newest_.store(nullptr, std::memory_order_relaxed); }

private:
    class mark final : public callback {
    public:
        void call() noexcept override {}
    };

    void run() noexcept {
        do {
            callback* list = newest_.exchange(&running_, std::memory_order_acq_rel);
            callback* in_order = nullptr;
            while (list != nullptr && list != &running_) {
                callback* const before = list->next_;
                list->next_ = in_order;
                in_order = list;
                list = before;
            }
            while (in_order != nullptr) {
                callback* const next = in_order->next_;
                in_order->call();
                in_order = next;
            }
        } while (more_has_come());
    }

    /// False: the next one who puts something posts.
    bool more_has_come() noexcept {
        if (!single_cpu()) {
            const auto until = steady::now() + spin;
            do
                for (int i = 0; i < 32; ++i) {
                    if (newest_.load(std::memory_order_relaxed) != &running_) return true;
                    patient_mutex::pause();
                }
            while (steady::now() < until);
        }
        callback* expected = &running_;
        return !newest_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
    }

    std::atomic<callback*> newest_{nullptr};
    mark running_;
};

namespace {

callback_queue& queue() {
    // Leaked: callbacks run until the process has ended.
    static callback_queue* const instance = [] {
        auto* const made = new callback_queue;
        ::pthread_atfork(nullptr, nullptr, [] { queue().forget(); });
        return made;
    }();
    return *instance;
}

const made_before_main made_early{queue};

} // namespace

void queue_callback(callback& what) noexcept { queue().put(what); }

} // namespace coproc::detail
