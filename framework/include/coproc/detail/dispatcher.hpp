// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Who does what next: a state machine without I/O, locks, threads or clocks. A backend feeds it
// events (submitted, ready, done, lost, time passed) and carries out the effects it asks for. Tests
// feed it events too.

#include <coproc/detail/moving_average.hpp>
#include <coproc/detail/work.hpp>
#include <coproc/detail/work_queue.hpp>
#include <coproc/error.hpp>
#include <coproc/pool_stats.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace coproc::detail {

using worker_index = std::uint32_t;

struct dispatcher_limits {
    worker_index workers = 1;
    std::size_t max_tasks_per_worker = 0;
    std::size_t max_worker_memory = 0;
    /// How many chunks may wait at a busy worker to hide the hand-over; 0 for threads, which have
    /// none to hide.
    std::uint32_t prefetch = 0;
    /// So many workers in a row may die before they are ready, within `restart_window`; one more
    /// breaks the pool.
    std::uint32_t restarts = 4;
    std::chrono::nanoseconds restart_window = std::chrono::seconds{10};
    /// Whether an idle worker would have to be woken. While tiny calls come faster than they are
    /// run, they are better stacked on workers that are awake, and on no more of these than two for
    /// each CPU. Not asked, and nobody spared, when it is empty; it is called within the events.
    std::function<bool(worker_index)> asleep = {};
    unsigned cpus = 1;
};

/// What the backend has to do after an event, outside its lock, in this order.
struct effects {
    struct assignment {
        worker_index worker;
        chunk what;
    };
    struct target {
        worker_index worker;
        std::uint64_t chunk_id;
    };

    std::vector<target> recall;     ///< take back if not started, then call returned()
    std::vector<target> stop;       ///< forgotten chunks: take back, or stop the worker they run on
    std::vector<assignment> assign; ///< hand over
    std::vector<worker_index> start; ///< launch a worker for this slot
    std::vector<worker_index>
        retire; ///< let the slot's worker end by itself; a new one follows by `start`
    std::vector<work_ptr> finished; ///< call finish()
    std::vector<work_ptr> left;     ///< finished before, and no worker has any of it any more
    bool drained = false;           ///< closed, and nothing is left to do: retire all workers

    [[nodiscard]] bool empty() const noexcept {
        return recall.empty() && stop.empty() && assign.empty() && start.empty() &&
               retire.empty() && finished.empty() && left.empty() && !drained;
    }
    void clear() noexcept;
};

/// How a failure is counted in pool_stats.
enum class failure_kind : std::uint8_t { failed, timed_out, cancelled };

/// What a lost worker was doing, and whether that is to blame.
struct loss {
    std::uint64_t chunk_id = 0; ///< 0: nothing, or nothing that matters
    std::uint32_t item = 0;     ///< within the chunk
    std::uint32_t done =
        0; ///< so many items before it have their values already (they ran in place)
    bool deliberate = false;    ///< stopped by us for another reason: its item goes back uncounted
    std::exception_ptr error{}; ///< what the item fails with, unless it is tried again
    failure_kind kind = failure_kind::failed;
    bool may_retry = true; ///< false for a timeout: more of the same would not help
};

/// The errors of tasks that are not let finish: their texts name the task, and a map's item.
/// `stopped`: it does not run any more.
timeout_error out_of_time(timeout_kind kind, const work& w, std::uint64_t item,
                          bool stopped = true);
std::exception_ptr called_off(const work& w, std::string_view reason = {});

/// What a work is to fail with.
using error_for = std::function<std::exception_ptr(const work&)>;
/// For a stream whose reader waits for the pool.
std::exception_ptr read_no_further(const work& w);
/// called_off(w, "the pool was terminated"), one for all that need not be told apart: there may
/// be millions. Nobody is told of those that are not looked at: that is what was asked for.
[[nodiscard]] error_for terminated_error();

class dispatcher {
public:
    using time_point = steady::time_point;

    explicit dispatcher(const dispatcher_limits& limits);

    /// Asks for all workers to be started.
    void start(effects& out);

    // --- work ----------------------------------------------------------------------------------------------------
    [[nodiscard]] bool accepts() const noexcept { return !closed_; }
    void submit(work& w, time_point now, effects& out);
    /// A stream has `items` more, or has ended.
    void extend(work& w, std::uint64_t items, bool more_to_come, time_point now, effects& out);
    /// Fails what is not done yet with `error`. False: it is settled already.
    bool cancel(work& w, std::exception_ptr error, failure_kind kind, effects& out);

    // --- workers -------------------------------------------------------------------------------------------------
    void ready(worker_index w, time_point now, effects& out);
    /// A worker died before it was ready; `hopeless`: another would fare no better.
    void start_failed(worker_index w, std::exception_ptr error, bool hopeless, time_point now,
                      effects& out);
    /// The chunk ended. False: it had been forgotten (cancelled), its outcome does not count.
    bool done(worker_index w, std::uint64_t chunk_id, chunk_outcome outcome,
              std::chrono::nanoseconds took, std::size_t rss, time_point now, effects& out);
    /// A recalled chunk had not been started.
    void returned(worker_index w, std::uint64_t chunk_id, time_point now, effects& out);
    /// A worker that was ready is gone; its slot is started anew.
    void lost(worker_index w, const loss& what, time_point now, effects& out);
    /// The chunk could not be handed over: its item `item` fails, the others go back.
    void refused(worker_index w, std::uint64_t chunk_id, std::uint32_t item,
                 std::exception_ptr error, time_point now, effects& out);

    // --- calls that a worker runs by itself: short ones, which are not worth a word each -------------------------
    /// From now until release() the idle worker has such calls, and is given nothing else.
    void occupy(worker_index w) noexcept { leave_idle(w); }
    /// The one that it runs becomes a chunk in flight like any other, which will be done() and by
    /// that releases the worker.
    void adopt(worker_index w, work& call, time_point now);
    /// So many have got their values.
    void count_completed(std::uint64_t calls) noexcept { counts_.completed += calls; }
    void release(worker_index w, time_point now, effects& out);

    // --- time ----------------------------------------------------------------------------------------------------
    [[nodiscard]] time_point next_deadline() const noexcept;
    /// Waits that are over; idle workers take over what waits behind busy ones. Running tasks: see
    /// overdue().
    void expire(time_point now, effects& out);
    /// A worker whose running chunk has reached its timeout as far as is known here, or none.
    [[nodiscard]] std::optional<effects::target> overdue(time_point now) const noexcept;
    /// What the worker says about it: the item that runs began at `began`, or nothing of the chunk
    /// runs yet. True: its time is up. Otherwise the deadline has been moved.
    bool check_overdue(worker_index w, std::optional<time_point> began, time_point now);
    /// The worker is being seen to; it is not overdue again before `at`.
    void postpone(worker_index w, time_point at) { set_deadline(w, at); }

    // --- ends ----------------------------------------------------------------------------------------------------
    void close(effects& out);
    /// Fails all; the backend stops its workers.
    void terminate(const error_for& error, effects& out);
    /// All workers have ended that have any of a work that was cancelled.
    void forget_workers(effects& out);
    /// Works whose input may still come (streams) fail behind what has come, so that a join need
    /// not wait for them.
    template <class Predicate>
    void end_streams(Predicate&& which, const error_for& error, effects& out);

    [[nodiscard]] pool_stats stats() const noexcept;
    [[nodiscard]] const std::exception_ptr& broken() const noexcept { return broken_; }
    /// The chunk, if the worker has it and somebody still wants it.
    [[nodiscard]] const chunk* in_flight(worker_index w, std::uint64_t chunk_id) const noexcept;
    [[nodiscard]] const chunk* running(worker_index w) const noexcept;
    [[nodiscard]] bool busy() const noexcept;

    // --- who is idle ---------------------------------------------------------------------------------------------
    [[nodiscard]] bool any_waiting() const noexcept { return !queue_.empty(); }
    /// A plain call that were submitted now would come behind all that waits already: nothing would
    /// follow from it.
    [[nodiscard]] bool plain_waits() const noexcept {
        return !queue_.empty() && queue_.lowest_priority() >= 0;
    }
    /// A plain call that is submitted now may have to wait although workers are idle. Otherwise
    /// submit() makes no use of the time for it.
    [[nodiscard]] bool may_hold_back() const noexcept {
        return !idle_.empty() && moving() != 0 && limits_.asleep;
    }
    [[nodiscard]] bool any_idle() const noexcept { return !idle_.empty(); }
    [[nodiscard]] bool is_idle(worker_index w) const noexcept {
        return workers_[w].state == life::idle;
    }
    /// Who gets the next chunk; some worker must be idle.
    [[nodiscard]] worker_index next_idle() const noexcept { return idle_.back(); }
    /// An idle worker is to be the next, or the next but `places`.
    void reorder_idle(worker_index w, std::size_t places) noexcept;

private:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    enum class life : std::uint8_t { starting, idle, busy, gone };

    struct flight {
        chunk what;
        float expected_ns;   // 0: unknown
        work_ptr unwanted{}; // what it is of, if that was cancelled
    };

    struct worker {
        life state = life::starting;
        bool retiring = false;
        bool unused = true;  // it has not yet done anything
        bool hungry = false; // on hungry_
        bool stuck = false;  // takes longer with its first chunk than a moment
        std::deque<flight> inflight;
        double expected_ns = 0; // of all in flight
        std::size_t tasks_left = 0;
        time_point deadline = time_point::max(); // of the first chunk in flight

        /// It gets nothing more.
        [[nodiscard]] bool spent() const noexcept { return retiring || tasks_left == 0; }
    };

    bool refill(worker_index index, time_point now, effects& out);
    void place(worker_index index, time_point now, effects& out);
    [[nodiscard]] bool may_prefetch(const worker& to) const;
    [[nodiscard]] bool tiny_is_next() const;
    [[nodiscard]] bool better_held_back() const;
    void assign(worker_index index, work& w, time_point now, effects& out);
    void top_up(time_point now, effects& out);
    bool stack(time_point now, effects& out);
    void steal_for_idle(time_point now, effects& out);
    void watch_for_stuck(time_point now) noexcept;
    void pass_by_stuck(time_point now, effects& out);
    /// Workers that have something to do and get on with it.
    [[nodiscard]] std::size_t moving() const noexcept { return at_work_ - stuck_; }
    /// No more workers than this are to be at work while calls are tiny: as many again as there are
    /// CPUs, so that there is one to go on while another waits for its CPU.
    [[nodiscard]] std::size_t most_awake() const noexcept { return 2 * limits_.cpus; }
    [[nodiscard]] chunk take(work& w, std::size_t at_most);
    [[nodiscard]] std::size_t chunk_size(const work& w) const noexcept;
    [[nodiscard]] float expected(const work& w, std::uint32_t count) const noexcept;
    void measure(work& w, std::uint32_t items, std::chrono::nanoseconds took, bool first) noexcept;
    void give_back(const chunk& c, std::uint32_t from, std::uint32_t count, std::uint32_t attempt);
    void fail_item(work& w, std::uint64_t index, std::exception_ptr error, failure_kind kind);
    void drop_waiting(work& w, std::uint64_t from) noexcept;
    void settle_if_done(work& w, effects& out);
    void settle(work_ptr w, effects& out);
    [[nodiscard]] static bool may_settle(const work& w) noexcept;
    [[nodiscard]] static std::uint64_t first_waiting(const work& w) noexcept;
    void wait_in_queue(work& w, bool at_front);
    work_ptr leave_queue(work& w) noexcept; ///< what kept it alive there
    void look_to_next_items(work& w);       ///< of a stream: those count that wait longest
    [[nodiscard]] static time_point must_start_by(const work& w, time_point now) noexcept;
    [[nodiscard]] chunk remove_flight(worker_index index, std::size_t position, time_point now,
                                      effects& out);
    static void lay(flight& ghost, effects& out);
    [[nodiscard]] std::optional<std::size_t> find_flight(worker_index index,
                                                         std::uint64_t chunk_id) const noexcept;
    void set_deadline(worker_index index, time_point at);
    void watch_front(worker_index index, time_point now);
    void recall_below(int priority, effects& out);
    void replace(worker_index index, effects& out);
    void leave_idle(worker_index index) noexcept;
    void break_down(std::exception_ptr error, effects& out);
    void fail_everything(const error_for& error, failure_kind kind, bool also_running,
                         effects& out);
    void check_drained(effects& out);
    [[nodiscard]] bool any_hope() const noexcept;

    dispatcher_limits limits_;
    std::vector<worker> workers_;
    std::vector<worker_index> idle_;   // a stack: the last one used is still awake
    std::vector<worker_index> hungry_; // busy, with room for one more chunk
    std::size_t at_work_ = 0;          // have a chunk in flight
    std::size_t stuck_ = 0;            // of these
    work_queue queue_;
    std::set<std::pair<time_point, worker_index>> run_deadlines_;
    std::set<std::pair<time_point, work*>> queue_deadlines_;
    // Of streams: the items before `end` have been there since the same moment.
    struct waiting_items {
        std::uint64_t end;
        time_point until;
    };
    std::map<const work*, std::deque<waiting_items>> stream_deadlines_;
    std::set<work*> unfinished_streams_;
    time_point stuck_check_ = time_point::max();
    std::uint64_t stuck_mark_ = 0; // a worker is stuck that still has this chunk or an older one
    std::deque<time_point> early_deaths_;
    std::exception_ptr first_start_error_;
    std::exception_ptr broken_;
    std::uint64_t last_chunk_id_ = 0;
    std::uint64_t open_works_ = 0;
    std::uint64_t prefetched_ = 0;         // chunks that wait at busy workers
    double prefetched_ns_ = 0;             // as long as these are expected to take
    int lowest_prefetched_ = 0;            // no priority among them is lower
    call_average call_ns_;                 // of single calls
    std::vector<worker_index> to_restart_; // could not be started; tried again at restart_check_
    time_point restart_check_ = time_point::max();
    bool closed_ = false;
    bool drained_ = false;
    pool_stats counts_;
};

template <class Predicate>
void dispatcher::end_streams(Predicate&& which, const error_for& error, effects& out) {
    for (auto at = unfinished_streams_.begin(); at != unfinished_streams_.end();) {
        work& w = **at++; // failing takes it off the list
        if (!which(w)) continue;
        fail_item(w, w.end_, error(w), failure_kind::cancelled);
        settle_if_done(w, out);
    }
    check_drained(out);
}

} // namespace coproc::detail
