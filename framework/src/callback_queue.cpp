// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/callback_batch.hpp>
#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/callback_source.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/detail/moving_average.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <coproc/detail/result_core.hpp>
#include <coproc/duration.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <pthread.h>
#include <sanitized.hpp>
#include <utility>

namespace coproc::detail {

namespace {

// So long the thread looks for more before it sleeps: waking it up costs its wakers more than this.
constexpr std::chrono::microseconds spin{10};
// Nobody waits longer for the thread to begin than for so many results to be found.
constexpr std::size_t batch_limit = 64;
// While callbacks take less on average, their thread can look for results besides: what finds them
// otherwise, on another CPU at best, needs about as long for each.
#ifdef COPROC_SANITIZED
constexpr float short_ns = 1e5F; // so that it is seen with a sanitizer, too
#else
constexpr float short_ns = 1e3F;
#endif
constexpr std::size_t most_sources = 16;

thread_local callback_batch* gathering = nullptr;
thread_local bool calling_here = false;

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
        for (auto& p : sources_)
            p.store(nullptr, std::memory_order_relaxed);
        gathering = nullptr;
        calling_here = false;
        tells_of_results(false);
    }

    /// While it is behind it would look too seldom, and may be in a callback that waits.
    bool may_be_lent() const noexcept {
        const callback* const newest = newest_.load(std::memory_order_relaxed);
        return !single_cpu() && short_.load(std::memory_order_relaxed) &&
               (newest == nullptr || newest == &running_);
    }
    bool lend(std::unique_ptr<callback_source> source) noexcept {
        return std::ranges::any_of(sources_, [&](place& p) {
            callback_source* none = nullptr;
            if (!p.compare_exchange_strong(none, source.get(), std::memory_order_release,
                                           std::memory_order_relaxed))
                return false;
            static_cast<void>(source.release());
            return true;
        });
    }
    /// On its thread.
    void rest_sources() noexcept {
        for (auto& p : sources_)
            if (auto* const source = p.load(std::memory_order_acquire);
                source != nullptr && !source->rest())
                let_go(p, source);
    }

private:
    using place = std::atomic<callback_source*>;

    class mark final : public callback {
    public:
        void call() noexcept override {}
    };

    void run() noexcept {
        calling_here = true;
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
                if (lent_ || in_order->next_ != nullptr)
                    call_and_measure(in_order);
                else
                    in_order->call();
                in_order = next_batch;
            }
        } while (more_has_come(batches));
        calling_here = false;
    }

    void call_and_measure(callback* next) noexcept {
        const auto began = steady::now();
        std::size_t count = 0;
        for (; next != nullptr; ++count)
            std::exchange(next, next->next_)->call();
        auto ns = ns_each(steady::now() - began, static_cast<float>(count));
        if (each_ns_ > 0) ns = std::min(ns, 4 * each_ns_); // it may have lost its CPU
        each_ns_ = moving_average(each_ns_, ns);
        short_.store(each_ns_ < short_ns, std::memory_order_relaxed);
    }

    /// False: the next one who puts something posts. Those who bring batches are not waited for:
    /// few of them have to wake the thread, which would take the CPU from them while it looks. But
    /// it looks where they would.
    bool more_has_come(bool batches) noexcept {
        lent_ = std::ranges::any_of(
            sources_, [](const place& p) { return p.load(std::memory_order_relaxed) != nullptr; });
        if (lent_ ? short_.load(std::memory_order_relaxed) : !batches && !single_cpu()) {
            const auto until = steady::now() + spin;
            do
                for (int i = 0; i < 32; ++i) {
                    if (newest_.load(std::memory_order_relaxed) != &running_) return true;
                    if (lent_) look_at_sources();
                    patient_mutex::pause();
                }
            while (steady::now() < until);
        }
        if (std::exchange(lent_, false)) rest_sources();
        callback* expected = &running_;
        return !newest_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
    }

    void look_at_sources() noexcept {
        for (auto& p : sources_)
            if (auto* const source = p.load(std::memory_order_acquire);
                source != nullptr && !source->look())
                let_go(p, source);
    }
    static void let_go(place& p, callback_source* source) noexcept {
        p.store(nullptr, std::memory_order_relaxed);
        delete source;
    }

    std::atomic<callback*> newest_{nullptr};
    mark running_;
    std::array<place, most_sources> sources_{}; // its thread empties them
    std::atomic<bool> short_{false};            // callbacks are

    // That thread's.
    bool lent_ = false;
    float each_ns_ = 0;
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

bool callback_source::would_pay() noexcept { return queue().may_be_lent(); }

bool callback_source::lend(std::unique_ptr<callback_source> source) noexcept {
    return queue().lend(std::move(source));
}

void callback_source::rest_all() noexcept {
    if (calling_here) queue().rest_sources();
}

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
    ++batch->seen_;
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
