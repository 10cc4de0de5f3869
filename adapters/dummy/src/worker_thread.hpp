// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One worker thread as a pool sees it: a mailbox for one chunk, a place to sleep, and what it is
// doing now. The backend decides, the thread carries out.

#include <coproc/detail/dispatcher.hpp>
#include <coproc/this_task.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <atomic>
#include <call_run.hpp>
#include <csignal>
#include <cstdint>
#include <optional>
#include <pthread.h>
#include <span>
#include <stop_token>
#include <string>

namespace coproc::detail {

class dummy_backend;
class worker_thread;
using thread_ptr = boost::intrusive_ptr<worker_thread>;

class worker_thread final : public boost::intrusive_ref_counter<worker_thread>,
                            private running_task,
                            private item_observer {
public:
    /// `number`: of the pool's threads, from 1. `predecessor`: a thread that was given up, is asked
    /// to stop by this one before all else. So the callbacks on its stop token never run on the
    /// timer's thread.
    worker_thread(boost::intrusive_ptr<dummy_backend> pool, worker_index slot, unsigned long number,
                  thread_ptr predecessor);
    ~worker_thread() = default;

    /// Throws std::system_error if there is no room for another thread.
    void launch();
    /// The worker whose thread calls this, or null.
    static worker_thread* current() noexcept;

    [[nodiscard]] worker_index slot() const noexcept { return slot_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool is_of(const dummy_backend& pool) const noexcept {
        return pool_.get() == &pool;
    }

    // --- under the backend's lock; true: it sleeps, call wake() once the lock is released ---------
    bool post(chunk c) noexcept;
    bool post_run(std::span<work* const> calls, std::uint32_t number) noexcept;
    bool quit() noexcept;
    /// What was posted, if the thread has not begun with it.
    chunk take_back() noexcept;

    // --- by anyone --------------------------------------------------------------------------------
    void wake() noexcept { state_.notify_one(); }
    /// Its pool has forgotten it: the rest of its chunk is not run.
    void give_up() noexcept { given_up_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool given_up() const noexcept {
        return given_up_.load(std::memory_order_relaxed);
    }
    /// Runs the callbacks that the task has put on its stop token.
    void request_stop() noexcept { stop_.request_stop(); }

    struct item {
        std::uint32_t index;
        steady::time_point began;
    };
    /// What runs now; for works with a timeout only.
    [[nodiscard]] std::optional<item> current_item() const noexcept;

    /// Waits for the end of a thread that is about to end, and lets go of it. Once.
    void join() noexcept { pthread_join(id_, nullptr); }

    // --- the backend's, under its lock ------------------------------------------------------------
    bool ready = false;               // its initializer has succeeded
    call_run run;                     // also the thread's
    steady::time_point given_up_at{}; // meaningful for a thread that was given up

private:
    // `awake` is looking for the next state or running a chunk; everything else is told to it.
    enum state : std::uint32_t { awake, asleep, mail, quitting };

    static void* entry(void* self) noexcept;
    void main() noexcept;
    bool initialize() noexcept;
    bool next_chunk() noexcept;
    void run_chunk() noexcept;
    void run_calls() noexcept;

    bool begin_item(std::uint32_t index) noexcept override;
    std::stop_token stop_token() const noexcept override { return stop_.get_token(); }
    void report_progress(std::uint64_t done, std::uint64_t total) override;

    const boost::intrusive_ptr<dummy_backend> pool_;
    const worker_index slot_;
    const std::string name_;
    thread_ptr predecessor_;
    pthread_t id_{};
    std::stop_source stop_; // one for all its tasks: a thread that was asked to stop runs no other

    chunk chunk_; // what runs; the thread's own. None: a run
    chunk mail_;  // the poster's until `mail`, then whoever's who takes that back to `awake`
    bool timed_ = false;
    bool may_spin_ = false; // for the next chunk; what the pool said last
    unsigned calls_ = 0;
    steady::time_point last_end_{}; // of the former chunk; none after a wait

    std::atomic<bool> given_up_{false};
    std::atomic<std::uint32_t> item_{0};
    std::atomic<steady::rep> item_began_{0}; // 0: none, or nobody wants to know
    alignas(64) std::atomic<std::uint32_t> state_{awake};
};

} // namespace coproc::detail
