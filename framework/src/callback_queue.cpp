// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/callback_batch.hpp>
#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <coproc/duration.hpp>

#include <atomic>
#include <pthread.h>
#include <utility>

namespace coproc::detail {

namespace {

// So long the thread looks for more before it sleeps: waking it up costs its wakers more than this.
constexpr std::chrono::microseconds spin{10};
// Nobody waits longer for the thread to begin than for so many results to be found.
constexpr std::size_t batch_limit = 64;

thread_local callback_batch* gathering = nullptr;

} // namespace

/// What waits for the library's own thread: a list of batches without a lock, the newest first. Of
/// those who put something into it, the one who finds it empty posts the thread's next turn. While
/// the thread runs what it has taken, a mark in the list says that it will look again.
class callback_queue {
public:
    /// `first`, and what comes after it in its batch.
    void put(callback& first) noexcept {
        // Release: the thread reads what the callback refers to. Nothing else is ordered by this.
        callback* newest = newest_.load(std::memory_order_relaxed);
        do
            first.older_ = newest;
        while (!newest_.compare_exchange_weak(newest, &first, std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
        if (newest == nullptr) boost::asio::post(default_callback_executor(), [this] { run(); });
    }
    /// In the child of a fork, whose callbacks are its parent's.
    void forget() noexcept {
        newest_.store(nullptr, std::memory_order_relaxed);
        gathering = nullptr;
    }

private:
    class mark final : public callback {
    public:
        void call() noexcept override {}
    };

    void run() noexcept {
        bool batches = false;
        do {
            callback* list = newest_.exchange(&running_, std::memory_order_acq_rel);
            callback* in_order = nullptr;
            while (list != nullptr && list != &running_)
                in_order = std::exchange(list, std::exchange(list->older_, in_order));
            batches = false;
            while (in_order != nullptr) {
                callback* const next_batch = in_order->older_;
                batches |= in_order->next_ != nullptr;
                call_all(in_order);
                in_order = next_batch;
            }
        } while (more_has_come(batches));
    }

    static void call_all(callback* next) noexcept {
        while (next != nullptr)
            std::exchange(next, next->next_)->call();
    }

    /// False: the next one who puts something posts. Those who bring batches are not waited for:
    /// few of them have to wake the thread, which would take the CPU from them while it looks.
    bool more_has_come(bool batches) noexcept {
        if (!batches && !single_cpu()) {
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

void queue_callback(callback& what) noexcept {
    if (!callback_batch::add(what)) queue().put(what);
}

callback_batch::callback_batch() noexcept : outer_{std::exchange(gathering, this)} {}

callback_batch::~callback_batch() {
    clear();
    gathering = outer_;
}

bool callback_batch::add(callback& what) noexcept {
    auto* const batch = gathering;
    if (batch == nullptr) return false;
    (batch->first_ == nullptr ? batch->first_ : batch->last_->next_) = &what;
    batch->last_ = &what;
    if (++batch->count_ >= batch_limit) batch->clear();
    return true;
}

void callback_batch::hand_over() noexcept {
    if (gathering != nullptr) gathering->clear();
}

void callback_batch::clear() noexcept {
    count_ = 0;
    if (auto* const first = std::exchange(first_, nullptr)) queue().put(*first);
}

} // namespace coproc::detail
