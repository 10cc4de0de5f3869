// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <src/process_backend.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace coproc::detail {

/// The dispatcher's effects together with the seats they concern: bound under the lock of the
/// decision, so that a chunk can never reach a worker that has taken the place of the one it was
/// meant for.
struct process_backend::plan {
    struct target {
        seat_ptr seat;
        std::uint64_t chunk_id;
    };
    std::vector<target> recall;
    std::vector<target> stop;
    std::vector<seat_ptr> assign; // have been posted something
    std::vector<worker_index> start;
    std::vector<seat_ptr> retire;
    std::vector<work_ptr> finished;
    std::vector<work_ptr> left;
    bool drained = false;
    bool timer = false;
    bool all_ended = false;

    void clear() noexcept {
        recall.clear();
        stop.clear();
        assign.clear();
        start.clear();
        retire.clear();
        finished.clear();
        left.clear();
        drained = timer = all_ended = false;
    }
};

/// Feeds the dispatcher one event under the lock, and does what follows from it. Returns what the
/// event returned.
template <class Event>
bool process_backend::decide(Event&& event, const listener& by, std::vector<seat_ptr>* to_send) {
    return decide(std::unique_lock{mutex_}, std::forward<Event>(event), by, to_send);
}

template <class Event>
bool process_backend::decide(std::unique_lock<patient_mutex> lock, Event&& event,
                             const listener& by, std::vector<seat_ptr>* to_send) {
    // A thread keeps its lists, so that nothing is allocated for a task; a nested decision has
    // lists of its own.
    thread_local bool in_use = false; // or gone: a pool may end after the thread's own objects
    struct lasting : plan {
        ~lasting() { in_use = true; }
    };
    thread_local lasting kept;
    std::optional<plan> own;
    plan& p = in_use ? own.emplace() : kept;
    struct borrow {
        bool mine;
        borrow() noexcept : mine{!std::exchange(in_use, true)} {}
        ~borrow() {
            if (mine) in_use = false;
        }
    } const borrowed;

    const bool answer = event(dispatcher_, effects_);
    see_to_inbox();
    bind(p);
    lock.unlock();
    if (to_send != nullptr) {
        for (auto& seat : p.assign)
            if (std::ranges::find(*to_send, seat) == to_send->end())
                to_send->push_back(std::move(seat));
        p.assign.clear();
    }
    carry_out(p, by);
    p.clear();
    return answer;
}

/// For a seat that has been left: another thread may have taken replies off its channel and be
/// about to report them. What was in flight is only lost when it was not among these. Whoever
/// reports the last of them goes on.
template <class F>
void process_backend::once_digested(const seat_ptr& seat, F&& then) {
    {
        const std::scoped_lock lock{mutex_};
        if (seat->undigested.load(std::memory_order_relaxed) != 0) {
            seat->when_digested = std::forward<F>(then);
            return;
        }
    }
    then();
}

} // namespace coproc::detail
