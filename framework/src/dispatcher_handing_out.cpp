// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Which worker gets what, and how much of it at once: the part of the dispatcher that decides how
// fast a pool is.

#include <coproc/detail/dispatcher.hpp>
#include <coproc/detail/moving_average.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

// A chunk should take about this long: a hand-over costs a few microseconds, a tail of this length
// is not noticed.
constexpr double chunk_target_ns = 1e6;
// Below this, handing over costs more than it shares out.
constexpr double shortest_chunk_ns = 2e4;
// What may wait at a busy worker: one chunk of any known short duration, more only while together
// they are tiny.
constexpr double prefetch_limit_ns = 2.5e6;
constexpr double prefetch_deep_ns = 2e5;
// Work that waits at a busy worker is worth taking back for an idle one from here on.
constexpr double steal_worth_ns = 5e4;
// After this a worker that is still at the same chunk is stuck. While nobody is idle it takes
// longer: what waits behind is worth being taken back for a worker that has enough to do only if
// the duration was misjudged by far.
constexpr auto patience = 1ms;
constexpr auto crowded_patience = 10ms;
// The first call of a process may take so long for what later ones find there.
constexpr auto loading = 1ms;
// It takes so long to wake a worker, and so long for one to get from a call to the next.
constexpr double wake_ns = 5e3;
constexpr double overhead_ns = 250;

} // namespace

bool dispatcher::may_prefetch(const worker& to) const {
    if (to.inflight.size() > limits_.prefetch || to.stuck) return false;
    // After many were woken for long calls: they come to rest when they have done what they have.
    if (moving() > most_awake() && tiny_is_next()) return false;
    const bool spares_idle = !idle_.empty();
    if (spares_idle && !better_held_back()) return false;
    const work& next = *queue_.front();
    // One that must start in time, or is known to be long or not known at all, had better wait
    // where anyone can take it.
    if (next.queue_deadline_ != time_point::max()) return false;
    const double more = expected(
        next, static_cast<std::uint32_t>(std::min<std::size_t>(chunk_size(next), to.tasks_left)));
    if (more <= 0 || to.expected_ns > prefetch_limit_ns) return false;
    if (spares_idle && moving() < limits_.cpus)
        return to.expected_ns + static_cast<double>(to.inflight.size()) * overhead_ns <= wake_ns;
    return to.inflight.size() == 1 ? more <= prefetch_limit_ns
                                   : to.expected_ns + more <= prefetch_deep_ns;
}

/// What is first in the queue needs a CPU for so short that more workers than that would only take
/// the CPUs from each other.
bool dispatcher::tiny_is_next() const {
    // Where workers are replaced when they have done their share, those at work may take no more.
    return limits_.asleep && call_ns_.tiny() && limits_.max_tasks_per_worker == 0 &&
           limits_.max_worker_memory == 0 && queue_.front()->plain();
}

/// It had better wait for a worker that is at work than have an idle one woken.
bool dispatcher::better_held_back() const {
    return moving() != 0 && tiny_is_next() &&
           (moving() >= most_awake() || limits_.asleep(idle_.back()));
}

/// Hands a worker as much as it should have. True if that was something; it is idle, busy or on its
/// way out after.
[[gnu::hot]] bool dispatcher::refill(worker_index index, time_point now, effects& out) {
    worker& wk = workers_[index];
    if (wk.state == life::starting || wk.state == life::gone) return false;
    bool some = false;
    while (!wk.spent() && !queue_.empty() &&
           (wk.inflight.empty() ? moving() < most_awake() || !tiny_is_next() : may_prefetch(wk))) {
        assign(index, *queue_.front(), now, out);
        some = true;
    }
    place(index, now, out);
    return some;
}

/// Among the idle, the busy, or those that are on their way out.
[[gnu::hot]] void dispatcher::place(worker_index index, time_point now, effects& out) {
    worker& wk = workers_[index];
    if (!wk.inflight.empty()) {
        wk.state = life::busy;
        if (limits_.prefetch != 0 && !wk.hungry && !wk.spent() &&
            wk.expected_ns <= prefetch_deep_ns && wk.inflight.size() <= limits_.prefetch) {
            wk.hungry = true;
            hungry_.push_back(index);
        }
    } else if (wk.spent()) {
        replace(index, out);
    } else if (wk.state != life::idle) {
        wk.state = life::idle;
        idle_.push_back(index);
        if (wk.hungry && hungry_.back() == index) {
            wk.hungry = false;
            hungry_.pop_back();
        }
        if (prefetched_ != 0) steal_for_idle(now, out);
    }
}

[[gnu::hot]] void dispatcher::assign(worker_index index, work& w, time_point now, effects& out) {
    worker& wk = workers_[index];
    leave_idle(index);
    wk.state = life::busy;
    chunk c = take(w, wk.tasks_left);
    if (wk.tasks_left != unlimited) wk.tasks_left -= c.count;
    c.id = ++last_chunk_id_;
    ++w.in_flight_;
    w.worker_hint_.store(static_cast<std::int32_t>(index), std::memory_order_relaxed);
    const float ns = expected(w, c.count);
    // An unknown duration counts as long, so that nothing is stacked behind it.
    wk.expected_ns += ns > 0 ? ns : 1e12F;
    if (wk.inflight.empty()) {
        ++at_work_;
    } else {
        const auto priority = w.settings_.priority;
        lowest_prefetched_ = prefetched_ == 0 ? priority : std::min(lowest_prefetched_, priority);
        prefetched_ns_ = prefetched_ == 0 ? ns : prefetched_ns_ + ns;
        ++prefetched_;
    }
    wk.inflight.push_back({c, ns > 0 ? ns : 1e12F});
    if (wk.inflight.size() == 1) watch_front(index, now);
    out.assign.push_back({index, std::move(c)});
}

void dispatcher::top_up(time_point now, effects& out) {
    while (!queue_.empty()) {
        if (idle_.empty() || better_held_back()) {
            if (stack(now, out)) continue;
            if (idle_.empty()) return;
            if (moving() >= most_awake()) return watch_for_stuck(now);
        }
        if (!refill(idle_.back(), now, out)) return;
    }
}

/// Hands what is first in the queue to a busy worker, if there is one with room for it.
bool dispatcher::stack(time_point now, effects& out) {
    while (!hungry_.empty()) {
        const auto index = hungry_.back();
        worker& wk = workers_[index];
        const bool had_room =
            wk.hungry && wk.state == life::busy && !wk.inflight.empty() && !wk.spent();
        const bool stacked = had_room && may_prefetch(wk);
        // What is first in the queue is not to be stacked; nor would it be elsewhere.
        if (had_room && !wk.stuck && !stacked) return false;
        if (stacked) {
            if (!idle_.empty()) watch_for_stuck(now);
            assign(index, *queue_.front(), now, out);
            if (wk.expected_ns <= prefetch_deep_ns && wk.inflight.size() <= limits_.prefetch)
                return true;
        }
        wk.hungry = false;
        hungry_.pop_back();
        if (stacked) return true;
    }
    return false;
}

/// A worker is idle while chunks wait at busy ones: takes back what is surely worth it at once, and
/// the rest if it has not run after a moment.
void dispatcher::steal_for_idle(time_point now, effects& out) {
    watch_for_stuck(now);
    if (prefetched_ns_ < steal_worth_ns) return;
    auto wanted = idle_.size();
    for (worker_index i = 0; i < workers_.size() && wanted != 0; ++i) {
        const worker& wk = workers_[i];
        if (wk.inflight.size() < 2) continue;
        const double waiting_ns =
            wk.expected_ns - static_cast<double>(wk.inflight.front().expected_ns);
        if (waiting_ns < steal_worth_ns && wk.expected_ns < prefetch_limit_ns) continue;
        out.recall.push_back({i, wk.inflight.back().what.id});
        --wanted;
    }
}

/// Whoever has not got on by then is not waited for.
void dispatcher::watch_for_stuck(time_point now) noexcept {
    const auto at = now + (idle_.empty() ? crowded_patience : patience);
    if (stuck_check_ <= at) return;
    stuck_check_ = at;
    stuck_mark_ = last_chunk_id_;
}

/// Nothing is to wait for a worker that is stuck, be the others idle or busy with what came later.
void dispatcher::pass_by_stuck(time_point now, effects& out) {
    for (worker_index i = 0; i < workers_.size(); ++i) {
        worker& wk = workers_[i];
        if (wk.inflight.empty() || wk.inflight.front().what.id > stuck_mark_) continue;
        if (!std::exchange(wk.stuck, true)) ++stuck_;
        // The last one first, so that they come back in their order.
        for (auto k = wk.inflight.size(); k-- > 1;)
            out.recall.push_back({i, wk.inflight[k].what.id});
    }
    top_up(now, out);
    if (!idle_.empty() && (prefetched_ != 0 || !queue_.empty())) watch_for_stuck(now);
}

void dispatcher::recall_below(int priority, effects& out) {
    for (worker_index i = 0; i < workers_.size(); ++i) {
        const auto& flights = workers_[i].inflight;
        for (std::size_t k = flights.size(); k-- > 1;)
            if (flights[k].what.of && flights[k].what.of->settings_.priority < priority)
                out.recall.push_back({i, flights[k].what.id});
    }
}

[[gnu::hot]] std::size_t dispatcher::chunk_size(const work& w) const noexcept {
    if (!w.many()) return 1;
    const auto waiting = w.waiting_items();
    if (w.settings_.chunk_size != 0)
        return std::min<std::uint64_t>(w.settings_.chunk_size, waiting);
    if (w.item_ns_ <= 0) return 1; // start small, measure
    const double by_time = chunk_target_ns / static_cast<double>(w.item_ns_);
    // Towards the end the chunks shrink, so that all workers end together (guided self-scheduling,
    // Polychronopoulos and Kuck 1987). A stream has no end in sight; its window is shared out in
    // the same way.
    const double by_share =
        std::ceil(static_cast<double>(waiting) / (2.0 * static_cast<double>(limits_.workers)));
    // Where that is less than is worth a hand-over, by halves only: what comes last may be longer
    // than anything so far, and is still to be had by all.
    const double even_share =
        std::ceil(static_cast<double>(waiting) / static_cast<double>(limits_.workers));
    const double least = std::min(shortest_chunk_ns / static_cast<double>(w.item_ns_), even_share);
    const double best = std::min(by_time, std::max(by_share, least));
    return static_cast<std::size_t>(std::clamp(best, 1.0, 1e6));
}

[[gnu::hot]] float dispatcher::expected(const work& w, std::uint32_t count) const noexcept {
    return w.many() ? w.item_ns_ * static_cast<float>(count) : call_ns_.get();
}

[[gnu::hot]] void dispatcher::measure(work& w, std::uint32_t items, std::chrono::nanoseconds took,
                                      bool first) noexcept {
    if (!w.many()) {
        // What a worker has to load for its first call says nothing of the second.
        if (first && call_ns_.known() && took < loading) return;
        call_ns_.add(ns_each(took, static_cast<float>(items)));
        return;
    }
    // Shorter than thought is believed as much as there are more items than have been measured so
    // far: what surrounds the first one costs more than many a thousand small ones.
    const auto n = static_cast<float>(items);
    const auto before = static_cast<float>(w.done_);
    w.item_ns_ = moving_average(w.item_ns_, ns_each(took, n), std::max(0.25F, n / (n + before)));
}

[[gnu::hot]] chunk dispatcher::take(work& w, std::size_t at_most) {
    chunk c;
    const auto wanted =
        static_cast<std::uint32_t>(std::max<std::size_t>(1, std::min(chunk_size(w), at_most)));
    if (w.returned_ && !w.returned_->empty()) {
        auto& back = w.returned_->back();
        c.first = back.first;
        c.count = std::min(back.count, wanted);
        c.attempt = back.attempt;
        back.first += c.count;
        back.count -= c.count;
        if (back.count == 0) w.returned_->pop_back();
    } else {
        c.first = w.next_;
        c.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(w.end_ - w.next_, wanted));
        w.next_ += c.count;
        if (w.queue_deadline_ != time_point::max() && w.many()) look_to_next_items(w);
    }
    // What is handed out as a whole keeps itself alive no longer in the queue but in the chunk.
    c.of = w.has_waiting() || !w.queued_ ? work_ptr{&w} : leave_queue(w);
    return c;
}

void dispatcher::give_back(const chunk& c, std::uint32_t from, std::uint32_t count,
                           std::uint32_t attempt) {
    work& w = *c.of;
    const auto first = c.first + from;
    if (w.settled_ || first >= w.end_) return; // dropped meanwhile
    count = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, w.end_ - first));
    if (!w.returned_) w.returned_ = std::make_unique<std::vector<work::returned_items>>();
    w.returned_->push_back({first, count, attempt});
    if (!w.queued_) wait_in_queue(w, true);
}

std::uint64_t dispatcher::first_waiting(const work& w) noexcept {
    auto first = w.next_;
    if (w.returned_)
        for (const auto& r : *w.returned_)
            first = std::min(first, r.first);
    return first;
}

void dispatcher::wait_in_queue(work& w, bool at_front) {
    if (at_front)
        queue_.push_front(w);
    else
        queue_.push_back(w);
    if (w.queue_deadline_ != time_point::max()) queue_deadlines_.emplace(w.queue_deadline_, &w);
}

dispatcher::time_point dispatcher::must_start_by(const work& w, time_point now) noexcept {
    const auto most = time_point::max() - now;
    return w.settings_.queue_timeout < most ? now + w.settings_.queue_timeout : time_point::max();
}

void dispatcher::look_to_next_items(work& w) {
    const auto found = stream_deadlines_.find(&w);
    if (found == stream_deadlines_.end()) return; // a map: all its items came at once
    auto& waiting = found->second;
    while (!waiting.empty() && waiting.front().end <= w.next_)
        waiting.pop_front();
    const auto until = waiting.empty() ? time_point::max() : waiting.front().until;
    if (until == w.queue_deadline_) return;
    queue_deadlines_.erase({w.queue_deadline_, &w});
    w.queue_deadline_ = until;
    if (w.queued_ && until != time_point::max()) queue_deadlines_.emplace(until, &w);
}

[[gnu::hot]] work_ptr dispatcher::leave_queue(work& w) noexcept {
    if (w.queue_deadline_ != time_point::max()) queue_deadlines_.erase({w.queue_deadline_, &w});
    return w.queued_ ? queue_.extract(w) : work_ptr{};
}

} // namespace coproc::detail
