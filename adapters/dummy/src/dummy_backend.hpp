// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The pool's work on threads: the dispatcher decides under one lock, and what it decides is put
// into the threads' mailboxes under the same lock; only what takes long is done behind it.
//
// A plain call does not even come to the dispatcher before a thread can take it: it is left in an
// inbox without a lock. As long as somebody is listening (a thread that spins for work, or runs
// something short after which it looks), that is all. Only when threads sleep and nobody listens
// is one woken by whoever leaves it. Short calls are then run several in a row (call_run), which
// the dispatcher is not told of one by one.
//
// A thread cannot be stopped from outside. One whose task is cancelled or past its timeout is given
// up: its task has failed, its slot gets a new thread, and it ends by itself when the task returns.

#include <coproc/detail/backend.hpp>
#include <coproc/detail/dispatcher.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <coproc/detail/placement.hpp>
#include <coproc/detail/work_inbox.hpp>

#include <atomic>
#include <csignal>
#include <optional>
#include <system_error>
#include <timer_service.hpp>
#include <vector>
#include <worker_thread.hpp>

namespace coproc::detail {

class dummy_backend final : public backend {
public:
    explicit dummy_backend(const pool_options& options);

    /// Launches the threads.
    void start();

    void submit(work& w) override;
    void extend(work& w, std::uint64_t items, bool more_to_come) override;
    bool cancel(work& w) override;
    void help(work& w) noexcept override;
    void close() override;
    void terminate() override;
    void abandon_streams_of(std::thread::id consumer) override;
    [[nodiscard]] bool closed() const override;
    [[nodiscard]] result_state<void>& joined() noexcept override { return *joined_; }
    [[nodiscard]] pool_stats stats() override;
    [[nodiscard]] std::size_t workers() const noexcept override { return slots_.size(); }
    [[nodiscard]] bool on_worker_thread() const noexcept override;

    // --- called by the threads --------------------------------------------------------------------
    [[nodiscard]] const job& initializer() const noexcept { return initializer_; }
    /// The signals that the thread which made the pool lets through are those of its workers.
    [[nodiscard]] const sigset_t& signal_mask() const noexcept { return signal_mask_; }
    [[nodiscard]] const placement& where() const noexcept { return placement_; }
    /// These four return whether it may spin for its next chunk; false: go to sleep at once.
    bool ready(worker_thread& who);
    /// `chunk_id` 0: the call of its run at which it is.
    bool done(worker_thread& who, std::uint64_t chunk_id, chunk_outcome outcome,
              std::chrono::nanoseconds took, steady::time_point now);
    /// It has done all calls of its run, and published their results.
    bool run_ended(worker_thread& who, std::chrono::nanoseconds each, steady::time_point now);
    bool look(worker_thread& who);
    /// It has spun in vain, and will sleep unless something has been posted to it by now.
    void rest(worker_thread& who);
    /// Something is there for a thread that looks.
    [[nodiscard]] bool any_left() const noexcept { return inbox_.any_left(); }
    void not_ready(worker_thread& who, std::exception_ptr error);
    void not_launched(worker_thread& who, const std::system_error& error);
    void ended(worker_thread& who);

private:
    /// Whether a thread will look into the inbox soon: while it is idle and spins, or since it runs
    /// a call that is thought to be short.
    enum class ear : std::uint8_t { none, spinning, running };

    struct slot {
        thread_ptr thread;
        thread_ptr given_up; // the new thread asks it to stop
        ear listens = ear::none;
        std::uint64_t seen_at = 0; // where it was when it was last looked after
    };
    struct errands;

    dummy_backend(const pool_options& options, const dispatcher_limits& limits);

    template <class Event>
    void decide(Event&& event);
    template <class Book>
    bool work_ended(worker_thread& who, Book&& book);
    void carry_out(errands& later);
    void hand_out(errands& later);
    void set_ear(worker_index index, ear how) noexcept;
    [[nodiscard]] bool may_spin(worker_index index) noexcept;
    void flush(errands& later);
    [[nodiscard]] bool better_held_back() const noexcept;
    void feed(errands& later);
    [[nodiscard]] std::size_t run_length() const noexcept;
    void start_run(std::size_t calls, errands& later);
    void recall_run(worker_index index);
    void recall_runs();
    void see_that_somebody_listens(errands& later);
    void measure(std::chrono::nanoseconds call) noexcept;
    [[nodiscard]] std::uint64_t place_of(worker_index index) const noexcept;
    void nudge();
    void look_after_short_calls(steady::time_point now);
    static void dismiss(const thread_ptr& who, errands& later);
    void stop(const effects::target& which, errands& later);
    void replace(worker_index index, const loss& why);
    void give_up(const thread_ptr& who);
    void set_timer();
    void on_timer();
    void time_out(worker_index index, steady::time_point now, errands& later);
    [[nodiscard]] steady::time_point last_patience() const noexcept;
    void check_joined(errands& later);
    void publish_joined();

    const job initializer_;
    const placement placement_;
    sigset_t signal_mask_{};

    mutable patient_mutex mutex_;
    dispatcher dispatcher_;
    work_inbox inbox_;
    /// Threads sleep and nobody listens: whoever leaves something in the empty inbox sees to it.
    std::atomic<bool> deaf_{false};
    std::size_t spinning_ = 0; // of each ear
    std::size_t short_runs_ = 0;
    float call_ns_ = 0;  // moving average of plain calls; 0: not known yet
    const bool in_runs_; // may they be
    std::uint32_t runs_ = 0;
    steady::time_point look_after_at_ = steady::time_point::max();
    bool looks_soon_ = false; // as is due while threads are idle
    effects effects_;         // what the dispatcher has just decided
    std::vector<slot> slots_;
    const std::size_t most_spinning_;  // they take the CPU of those who have something to do
    unsigned long launched_ = 0;       // ever
    std::size_t threads_ = 0;          // that are there or about to be, but for those given up
    std::vector<thread_ptr> given_up_; // still in their last task; a join waits for them a little
    thread_ptr last_ended_;            // the next one to end waits for it
    bool drained_ = false;
    bool joined_published_ = false;
    steady::time_point timer_at_ = steady::time_point::max();
    std::optional<timer_service::entry> timer_;

    const boost::intrusive_ptr<result_state<void>> joined_{new result_state<void>};
    std::atomic<int> help_pays_{0};
};

} // namespace coproc::detail
