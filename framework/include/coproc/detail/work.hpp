// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a pool works on. A work is one call, a map, or a stream of items; it is handed out in
// chunks. A chunk runs in place (threads) or is encoded for another process. Which items are
// waiting, running or done is kept here but is the dispatcher's business alone, under its lock.

#include <coproc/detail/invoker.hpp>
#include <coproc/detail/result_core.hpp>
#include <coproc/detail/wire.hpp>
#include <coproc/task_options.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace coproc::detail {

class backend;
class dispatcher;
class work;
struct failure_info;

using backend_ptr = boost::intrusive_ptr<backend>;
using work_ptr = boost::intrusive_ptr<work>;

/// A run of items of one work, as it is handed to a worker.
struct chunk {
    work_ptr of;
    std::uint64_t id = 0; ///< unique within a pool
    std::uint64_t first = 0;
    std::uint32_t count = 1;
    std::uint32_t attempt = 1;
};

/// How a chunk ended: the first `ok` items have values, and the next one failed if there is an
/// error.
struct chunk_outcome {
    std::uint32_t ok = 0;
    std::exception_ptr error = {};
};

/// Knows where a chunk ran. Asked for the error of an item only: it takes longer to put together
/// than a tiny call to run.
class origin {
public:
    [[nodiscard]] virtual failure_info where(const work& w, std::uint64_t item) const = 0;

protected:
    ~origin() = default;
};

/// Told by a chunk that runs in place which item it is at.
class item_observer {
public:
    /// Before each item. False: nobody wants the rest of the chunk, run() returns at once.
    virtual bool begin_item(std::uint32_t index) noexcept = 0;

protected:
    ~item_observer() = default;
};

/// What `own` leaves open is taken from `below`.
[[nodiscard]] task_options merged(task_options own, const task_options& below) noexcept;

/// Options as the dispatcher needs them; zero durations mean none.
struct work_settings {
    work_settings() = default;
    work_settings(const task_options& own, const task_options& below); ///< as merged()

    std::chrono::nanoseconds timeout{0};
    std::chrono::nanoseconds queue_timeout{0};
    unsigned retries = 0;
    int priority = 0;
    std::size_t chunk_size = 0;
    std::unique_ptr<const std::string> label; // most tasks have none

    [[nodiscard]] std::string_view label_text() const noexcept {
        return label ? std::string_view{*label} : std::string_view{};
    }
};

class work {
public:
    work(result_core& core, backend_ptr pool, work_settings settings, std::uint64_t items,
         bool more_to_come = false);
    work(const work&) = delete;
    work& operator=(const work&) = delete;

    // Execution: without locks, by whoever holds the chunk. Inputs of items that are done are let
    // go. ------------

    /// Runs the chunk here and now. A thread that was given up (timeout, cancel) may still be in
    /// here when the work has failed at the item that runs, and after finish(): no other thread
    /// runs that item or those behind it, but the values and inputs of all other items may be used
    /// and let go of meanwhile.
    virtual chunk_outcome run(const chunk& c, item_observer& observer) noexcept = 0;

    /// The function that does it in another process; null if this work can only run in place.
    [[nodiscard]] virtual invoker remote() const noexcept = 0;
    virtual void size(const chunk& c, sizer& s) const = 0;
    virtual void encode(const chunk& c, writer& w) const = 0;
    /// Decodes a worker's reply to the chunk.
    virtual chunk_outcome accept(const chunk& c, reader& r, const origin& from) noexcept = 0;

    // Settlement: under the dispatcher's lock, short, no user code but moves and destructors.
    // ---------------------

    /// The item failed for good. The lowest index is the one that counts.
    virtual void fail(std::uint64_t index, std::exception_ptr error) noexcept = 0;

    // -------------------------------------------------------------------------------------------------------------

    /// Where chunks do not run in place, and without locks: nobody reads the function and its
    /// inputs any more, so what is left of them is let go of. Before finish(), unless it was left
    /// behind: then workers had some of it when it was cancelled, and this follows when they have
    /// not.
    virtual void let_go() noexcept {}
    [[nodiscard]] bool left_behind() const noexcept { return left_behind_; }
    /// The same for the first `ok` items of a chunk that have their results; before the dispatcher
    /// is told.
    virtual void let_go(const chunk& /*c*/, std::uint32_t /*ok*/) noexcept {}
    /// Nothing of it waits or runs any more: publishes the result. Without locks, once.
    virtual void finish() noexcept = 0;

    /// The thread that reads a stream's results; none for other works.
    [[nodiscard]] virtual std::thread::id consumer() const noexcept { return {}; }

    /// A map says which item failed; a single call has no index.
    [[nodiscard]] virtual bool many() const noexcept { return false; }

    /// One call that has no deadline and comes in its turn: nothing is to be decided about it until
    /// a worker is free.
    [[nodiscard]] bool plain() const noexcept {
        return settings_.priority == 0 && settings_.timeout.count() == 0 &&
               settings_.queue_timeout.count() == 0 && !many();
    }

    [[nodiscard]] result_core& core() const noexcept { return core_; }
    [[nodiscard]] const work_settings& settings() const noexcept { return settings_; }
    [[nodiscard]] const backend_ptr& pool() const noexcept { return pool_; }

    /// Where it is in flight, for a waiting thread that wants to lend a hand; a hint, -1 when
    /// unknown.
    [[nodiscard]] int worker_hint() const noexcept {
        return worker_hint_.load(std::memory_order_relaxed);
    }
    void hint_worker(int index) noexcept { worker_hint_.store(index, std::memory_order_relaxed); }

    /// Whoever submits this will wait for its result at once, and so call help(): nobody else need
    /// be woken for it.
    [[nodiscard]] bool submitter_waits() const noexcept { return submitter_waits_; }
    void submitter_will_wait() noexcept { submitter_waits_ = true; }

    /// Whether a worker has it without the dispatcher's knowledge, or has had it and published its
    /// result. Guarded by the backend's lock.
    [[nodiscard]] bool undispatched() const noexcept { return undispatched_; }
    void undispatched(bool is) noexcept { undispatched_ = is; }

protected:
    virtual ~work() = default;

private:
    friend class dispatcher;
    friend class work_inbox;
    friend class work_queue;
    friend void intrusive_ptr_add_ref(const work* w) noexcept { intrusive_ptr_add_ref(&w->core_); }
    friend void intrusive_ptr_release(const work* w) noexcept { intrusive_ptr_release(&w->core_); }

    struct returned_items {
        std::uint64_t first;
        std::uint32_t count;
        std::uint32_t attempt;
    };

    [[nodiscard]] bool has_waiting() const noexcept {
        return (returned_ && !returned_->empty()) || next_ < end_;
    }
    [[nodiscard]] std::uint64_t waiting_items() const noexcept;

    result_core& core_;
    backend_ptr pool_;
    work_settings settings_;

    // The dispatcher's part.
    work* previous_ = nullptr;    // in the queue of its priority
    work* following_ = nullptr;   // there, or in the inbox
    std::uint64_t next_ = 0;      // the first item never handed out
    std::uint64_t end_;           // one past the last item that is there
    std::uint64_t done_ = 0;      // items with a value
    std::uint32_t in_flight_ = 0; // chunks handed out
    std::atomic<std::int32_t> worker_hint_{-1};
    std::unique_ptr<std::vector<returned_items>> returned_; // handed out once, came back
    float item_ns_ = 0;                                     // moving average; 0: not measured yet
    bool submitter_waits_ = false;
    bool undispatched_ = false;
    bool queued_ = false;
    bool more_to_come_;
    bool settled_ = false; // finish() is due or done
    bool failed_ = false;
    bool left_behind_ = false; // when it was settled, there were ghosts
    std::uint32_t ghosts_ = 0; // chunks that workers still had when it was cancelled
    steady::time_point queue_deadline_ = steady::time_point::max();
};

} // namespace coproc::detail
