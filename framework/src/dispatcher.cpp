// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/dispatcher.hpp>

#include <coproc/detail/moving_average.hpp>
#include <coproc/error.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

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
constexpr auto steal_patience = 1ms;
constexpr auto restart_delay = 500ms;
constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

std::string title(const work& w) {
    const std::string_view label = w.settings().label_text();
    return label.empty() ? "coproc: the task" : "coproc: task \"" + std::string{label} + '"';
}

} // namespace

timeout_error out_of_time(timeout_kind kind, const work& w, std::uint64_t item) {
    std::string text = title(w);
    if (w.many()) text += ", item " + std::to_string(item) + ',';
    text += kind == timeout_kind::queued ? " did not start within its queue_timeout"
                                         : " was stopped, it ran past its timeout";
    return {kind, text};
}

cancelled_error called_off(const work& w) { return cancelled_error{title(w) + " was cancelled"}; }

void effects::clear() noexcept {
    recall.clear();
    stop.clear();
    assign.clear();
    start.clear();
    retire.clear();
    finished.clear();
    drained = false;
}

dispatcher::dispatcher(const dispatcher_limits& limits)
    : limits_{limits}, workers_(limits.workers) {}

void dispatcher::start(effects& out) {
    for (worker_index i = 0; i < workers_.size(); ++i) {
        workers_[i].tasks_left =
            limits_.max_tasks_per_worker != 0 ? limits_.max_tasks_per_worker : unlimited;
        out.start.push_back(i);
    }
}

// --- work ---------------------------------------------------------------------------------------------------------

void dispatcher::submit(work& w, time_point now, effects& out) {
    ++open_works_;
    if (w.more_to_come_) unfinished_streams_.insert(&w);
    if (broken_) {
        fail_item(w, 0, broken_, failure_kind::failed);
        settle_if_done(w, out);
        return;
    }
    if (!w.has_waiting()) {
        settle_if_done(w, out); // an empty map is done at once
        return;
    }
    if (w.settings_.queue_timeout.count() > 0) {
        const auto left = time_point::max() - now;
        w.queue_deadline_ =
            w.settings_.queue_timeout < left ? now + w.settings_.queue_timeout : time_point::max();
    }
    wait_in_queue(w, false);
    if (prefetched_ != 0 && lowest_prefetched_ < w.settings_.priority)
        recall_below(w.settings_.priority, out);
    top_up(now, out);
}

void dispatcher::extend(work& w, std::uint64_t items, bool more_to_come, time_point now,
                        effects& out) {
    if (w.settled_ || w.failed_) return;
    w.end_ += items;
    if (w.more_to_come_ && !more_to_come) {
        w.more_to_come_ = false;
        unfinished_streams_.erase(&w);
    }
    if (w.has_waiting() && !w.queued_) wait_in_queue(w, false);
    settle_if_done(w, out);
    top_up(now, out);
    check_drained(out);
}

bool dispatcher::cancel(work& w, std::exception_ptr error, failure_kind kind, effects& out) {
    if (w.settled_) return false;
    fail_item(w, 0, std::move(error), kind);
    for (worker_index i = 0; i < workers_.size() && w.in_flight_ != 0; ++i)
        for (auto& f : workers_[i].inflight)
            if (f.what.of.get() == &w) {
                out.stop.push_back({i, f.what.id});
                f.what.of.reset(); // a ghost: the worker is still busy with it, but nobody wants it
                --w.in_flight_;
                if (&f == &workers_[i].inflight.front()) set_deadline(i, time_point::max());
            }
    settle_if_done(w, out);
    check_drained(out);
    return true;
}

// --- workers ------------------------------------------------------------------------------------------------------

void dispatcher::ready(worker_index index, time_point now, effects& out) {
    worker& wk = workers_[index];
    wk.state = life::busy;
    ++counts_.workers_started;
    early_deaths_.clear();
    first_start_error_ = nullptr;
    refill(index, now, out);
}

void dispatcher::start_failed(worker_index index, std::exception_ptr error, bool hopeless,
                              time_point now, effects& out) {
    workers_[index].state = life::gone;
    if (drained_ || broken_) return;
    if (!first_start_error_) first_start_error_ = error;
    early_deaths_.push_back(now);
    while (now - early_deaths_.front() > limits_.restart_window)
        early_deaths_.pop_front();
    if (!hopeless && early_deaths_.size() <= limits_.restarts) {
        workers_[index].state = life::starting;
        out.start.push_back(index);
    } else if (!hopeless && any_hope()) {
        to_restart_.push_back(
            index); // the others carry on; this one is tried again when the weather is better
        restart_check_ = std::min(restart_check_, now + restart_delay);
    } else {
        break_down(first_start_error_, out);
    }
}

bool dispatcher::done(worker_index index, std::uint64_t chunk_id, chunk_outcome outcome,
                      std::chrono::nanoseconds took, std::size_t rss, time_point now,
                      effects& out) {
    worker& wk = workers_[index];
    const auto at = find_flight(index, chunk_id);
    if (!at) return false;
    chunk c = remove_flight(index, *at, now).what;
    if (limits_.max_worker_memory != 0 && rss > limits_.max_worker_memory) wk.retiring = true;
    const bool wanted = c.of != nullptr;
    if (wanted) {
        work& w = *c.of;
        --w.in_flight_;
        measure(w, std::max(1U, outcome.ok), took);
        w.done_ += outcome.ok;
        counts_.completed += outcome.ok;
        if (outcome.error)
            fail_item(w, c.first + outcome.ok, std::move(outcome.error), failure_kind::failed);
        else if (outcome.ok < c.count)
            give_back(c, outcome.ok, c.count - outcome.ok, 1);
        if (w.many() && outcome.ok != 0 && w.core().wants_progress())
            w.core().report_progress(w.done_, w.more_to_come_ ? 0 : w.end_);
        if (may_settle(w)) settle(std::move(c.of), out);
    }
    refill(index, now, out);
    check_drained(out);
    return wanted;
}

void dispatcher::returned(worker_index index, std::uint64_t chunk_id, time_point now,
                          effects& out) {
    const auto at = find_flight(index, chunk_id);
    if (!at) return;
    const chunk c = remove_flight(index, *at, now).what;
    if (workers_[index].tasks_left != unlimited) workers_[index].tasks_left += c.count;
    if (c.of) {
        --c.of->in_flight_;
        give_back(c, 0, c.count, c.attempt);
        settle_if_done(*c.of, out);
    }
    top_up(now, out);
    refill(index, now, out);
    check_drained(out);
}

void dispatcher::lost(worker_index index, const loss& what, time_point now, effects& out) {
    worker& wk = workers_[index];
    leave_idle(index);
    auto flights = std::move(wk.inflight);
    if (flights.size() > 1) prefetched_ -= flights.size() - 1;
    set_deadline(index, time_point::max());
    ++counts_.workers_lost;
    // The last one first, so that what was handed out first is what runs first again.
    for (auto f = flights.rbegin(); f != flights.rend(); ++f) {
        const chunk& c = f->what;
        if (!c.of) continue;
        work& w = *c.of;
        --w.in_flight_;
        if (c.id != what.chunk_id || what.deliberate) {
            give_back(c, 0, c.count, c.attempt);
        } else {
            const auto item = std::min(what.item, c.count - 1);
            const auto had = std::min(what.done, item);
            if (item + 1 < c.count) give_back(c, item + 1, c.count - item - 1, 1);
            const auto attempt = c.count == 1 ? c.attempt : 1;
            if (what.may_retry && attempt <= w.settings_.retries) {
                ++counts_.retried;
                if (!w.many()) w.queue_deadline_ = time_point::max(); // it did start in time
                give_back(c, item, 1, attempt + 1);
            } else {
                fail_item(w, c.first + item, what.error, what.kind);
            }
            if (item != had) give_back(c, had, item - had, 1);
            w.done_ += had;
            counts_.completed += had;
        }
        settle_if_done(w, out);
    }
    wk = worker{};
    if (drained_ || broken_) {
        wk.state = life::gone;
    } else {
        wk.tasks_left =
            limits_.max_tasks_per_worker != 0 ? limits_.max_tasks_per_worker : unlimited;
        out.start.push_back(index);
    }
    top_up(now, out);
    check_drained(out);
}

void dispatcher::refused(worker_index index, std::uint64_t chunk_id, std::uint32_t item,
                         std::exception_ptr error, time_point now, effects& out) {
    const auto at = find_flight(index, chunk_id);
    if (!at) return;
    const chunk c = remove_flight(index, *at, now).what;
    if (c.of) {
        --c.of->in_flight_;
        if (item + 1 < c.count) give_back(c, item + 1, c.count - item - 1, 1);
        fail_item(*c.of, c.first + item, std::move(error), failure_kind::failed);
        if (item != 0) give_back(c, 0, item, 1);
        settle_if_done(*c.of, out);
    }
    refill(index, now, out);
    check_drained(out);
}

// --- handing out --------------------------------------------------------------------------------------------------

bool dispatcher::may_prefetch(const worker& to) const noexcept {
    if (to.inflight.size() > limits_.prefetch || !idle_.empty()) return false;
    const work& next = *queue_.front();
    // One that must start in time, or is known to be long or not known at all, had better wait
    // where anyone can take it.
    if (next.queue_deadline_ != time_point::max()) return false;
    const double more = expected(
        next, static_cast<std::uint32_t>(std::min<std::size_t>(chunk_size(next), to.tasks_left)));
    if (more <= 0 || to.expected_ns > prefetch_limit_ns) return false;
    return to.inflight.size() == 1 ? more <= prefetch_limit_ns
                                   : to.expected_ns + more <= prefetch_deep_ns;
}

/// Hands a worker as much as it should have. True if that was something; it is idle, busy or on its
/// way out after.
bool dispatcher::refill(worker_index index, time_point now, effects& out) {
    worker& wk = workers_[index];
    if (wk.state == life::starting || wk.state == life::gone) return false;
    bool some = false;
    while (!wk.retiring && wk.tasks_left != 0 && !queue_.empty() &&
           (wk.inflight.empty() || may_prefetch(wk))) {
        assign(index, *queue_.front(), now, out);
        some = true;
    }
    if (!wk.inflight.empty()) {
        wk.state = life::busy;
        if (limits_.prefetch != 0 && !wk.hungry && !wk.retiring &&
            wk.expected_ns <= prefetch_deep_ns && wk.inflight.size() <= limits_.prefetch) {
            wk.hungry = true;
            hungry_.push_back(index);
        }
    } else if (wk.retiring || wk.tasks_left == 0) {
        replace(index, out);
    } else if (wk.state != life::idle) {
        wk.state = life::idle;
        idle_.push_back(index);
        if (prefetched_ != 0) steal_for_idle(now, out, false);
    }
    return some;
}

void dispatcher::assign(worker_index index, work& w, time_point now, effects& out) {
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
    if (!wk.inflight.empty()) {
        const auto priority = w.settings_.priority;
        lowest_prefetched_ = prefetched_ == 0 ? priority : std::min(lowest_prefetched_, priority);
        ++prefetched_;
    }
    wk.inflight.push_back({c, ns > 0 ? ns : 1e12F});
    if (wk.inflight.size() == 1) watch_front(index, now);
    out.assign.push_back({index, std::move(c)});
}

void dispatcher::top_up(time_point now, effects& out) {
    while (!queue_.empty() && !idle_.empty())
        if (!refill(idle_.back(), now, out)) break;
    while (!queue_.empty() && !hungry_.empty()) {
        const auto index = hungry_.back();
        worker& wk = workers_[index];
        const bool had_room = wk.hungry && wk.state == life::busy && !wk.inflight.empty();
        if (had_room && may_prefetch(wk)) {
            assign(index, *queue_.front(), now, out);
            if (wk.expected_ns <= prefetch_deep_ns && wk.inflight.size() <= limits_.prefetch)
                continue;
        } else if (had_room) {
            break; // what is first in the queue is not to be stacked; nor would it be elsewhere
        }
        wk.hungry = false;
        hungry_.pop_back();
    }
}

/// Somebody is idle while chunks wait at busy workers: take them back, at once if that is surely
/// worth it, otherwise after a moment in which they will mostly have run.
void dispatcher::steal_for_idle(time_point now, effects& out, bool at_once) {
    auto wanted = idle_.size();
    bool left = false;
    for (worker_index i = 0; i < workers_.size() && wanted != 0; ++i) {
        const worker& wk = workers_[i];
        if (wk.inflight.size() < 2) continue;
        const double waiting_ns =
            wk.expected_ns - static_cast<double>(wk.inflight.front().expected_ns);
        if (!at_once && waiting_ns < steal_worth_ns && wk.expected_ns < prefetch_limit_ns) {
            left = true;
            continue;
        }
        out.recall.push_back({i, wk.inflight.back().what.id});
        --wanted;
        left = left || wk.inflight.size() > 2;
    }
    steal_check_ = left || at_once ? now + steal_patience : steal_check_;
}

void dispatcher::recall_below(int priority, effects& out) {
    for (worker_index i = 0; i < workers_.size(); ++i) {
        const auto& flights = workers_[i].inflight;
        for (std::size_t k = flights.size(); k-- > 1;)
            if (flights[k].what.of && flights[k].what.of->settings_.priority < priority)
                out.recall.push_back({i, flights[k].what.id});
    }
}

std::size_t dispatcher::chunk_size(const work& w) const noexcept {
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

float dispatcher::expected(const work& w, std::uint32_t count) const noexcept {
    return w.many() ? w.item_ns_ * static_cast<float>(count) : call_ns_;
}

void dispatcher::measure(work& w, std::uint32_t items, std::chrono::nanoseconds took) noexcept {
    if (!w.many()) {
        call_ns_ = moving_average(call_ns_, ns_each(took, static_cast<float>(items)));
        return;
    }
    // Shorter than thought is believed as much as there are more items than have been measured so
    // far: what surrounds the first one costs more than many a thousand small ones.
    const auto n = static_cast<float>(items);
    const auto before = static_cast<float>(w.done_);
    w.item_ns_ = moving_average(w.item_ns_, ns_each(took, n), std::max(0.25F, n / (n + before)));
}

chunk dispatcher::take(work& w, std::size_t at_most) {
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

work_ptr dispatcher::leave_queue(work& w) noexcept {
    if (w.queue_deadline_ != time_point::max()) queue_deadlines_.erase({w.queue_deadline_, &w});
    return w.queued_ ? queue_.extract(w) : work_ptr{};
}

// --- ends of works ------------------------------------------------------------------------------------------------

void dispatcher::fail_item(work& w, std::uint64_t index, std::exception_ptr error,
                           failure_kind kind) {
    switch (kind) {
    case failure_kind::failed:
        ++counts_.failed;
        break;
    case failure_kind::timed_out:
        ++counts_.timed_out;
        break;
    case failure_kind::cancelled:
        ++counts_.cancelled;
        break;
    }
    w.failed_ = true;
    w.fail(index, std::move(error));
    drop_waiting(w, index);
}

/// Items from `from` on that have not been handed out never will be; those before it may still fail
/// first.
void dispatcher::drop_waiting(work& w, std::uint64_t from) noexcept {
    w.end_ = std::min(w.end_, from);
    w.next_ = std::min(w.next_, w.end_);
    if (w.more_to_come_) {
        w.more_to_come_ = false;
        unfinished_streams_.erase(&w);
    }
    if (w.returned_) {
        std::erase_if(*w.returned_, [&](const auto& r) { return r.first >= from; });
        for (auto& r : *w.returned_)
            r.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(r.count, from - r.first));
    }
    if (!w.has_waiting()) {
        const work_ptr alive{&w};
        leave_queue(w);
    }
}

bool dispatcher::may_settle(const work& w) noexcept {
    return !w.settled_ && w.in_flight_ == 0 && !w.has_waiting() && !w.more_to_come_;
}

void dispatcher::settle_if_done(work& w, effects& out) {
    if (may_settle(w)) settle(work_ptr{&w}, out);
}

void dispatcher::settle(work_ptr w, effects& out) {
    w->settled_ = true;
    leave_queue(*w);
    if (!unfinished_streams_.empty()) unfinished_streams_.erase(w.get());
    out.finished.push_back(std::move(w));
    --open_works_;
}

// --- flights ------------------------------------------------------------------------------------------------------

std::optional<std::size_t> dispatcher::find_flight(worker_index index,
                                                   std::uint64_t chunk_id) const noexcept {
    const auto& flights = workers_[index].inflight;
    for (std::size_t i = 0; i < flights.size(); ++i)
        if (flights[i].what.id == chunk_id) return i;
    return {};
}

dispatcher::flight dispatcher::remove_flight(worker_index index, std::size_t position,
                                             time_point now) {
    worker& wk = workers_[index];
    flight f = std::move(wk.inflight[position]);
    wk.inflight.erase(wk.inflight.begin() + static_cast<std::ptrdiff_t>(position));
    wk.expected_ns = wk.inflight.empty()
                         ? 0
                         : std::max(0.0, wk.expected_ns - static_cast<double>(f.expected_ns));
    if (!wk.inflight.empty()) --prefetched_;
    if (position == 0) watch_front(index, now);
    return f;
}

const chunk* dispatcher::in_flight(worker_index index, std::uint64_t chunk_id) const noexcept {
    const auto at = find_flight(index, chunk_id);
    return at && workers_[index].inflight[*at].what.of ? &workers_[index].inflight[*at].what
                                                       : nullptr;
}

const chunk* dispatcher::running(worker_index index) const noexcept {
    const auto& flights = workers_[index].inflight;
    return flights.empty() || !flights.front().what.of ? nullptr : &flights.front().what;
}

void dispatcher::set_deadline(worker_index index, time_point at) {
    worker& wk = workers_[index];
    if (wk.deadline == at) return;
    if (wk.deadline != time_point::max()) run_deadlines_.erase({wk.deadline, index});
    wk.deadline = at;
    if (at != time_point::max()) run_deadlines_.emplace(at, index);
}

/// The first chunk in flight is what runs, or is about to.
void dispatcher::watch_front(worker_index index, time_point now) {
    const auto* c = running(index);
    const auto timeout = c != nullptr ? c->of->settings_.timeout : 0ns;
    set_deadline(index, timeout.count() > 0 && timeout < time_point::max() - now
                            ? now + timeout
                            : time_point::max());
}

void dispatcher::leave_idle(worker_index index) noexcept {
    if (workers_[index].state != life::idle) return;
    if (!idle_.empty() && idle_.back() == index)
        idle_.pop_back();
    else
        std::erase(idle_, index);
    workers_[index].state = life::busy;
}

void dispatcher::reorder_idle(worker_index index, std::size_t places) noexcept {
    const auto at = std::ranges::find(idle_, index);
    if (at == idle_.end()) return;
    const auto from = static_cast<std::size_t>(at - idle_.begin());
    const auto to = idle_.size() - 1 - std::min(places, idle_.size() - 1);
    if (from < to)
        std::rotate(at, at + 1, idle_.begin() + static_cast<std::ptrdiff_t>(to + 1));
    else
        std::rotate(idle_.begin() + static_cast<std::ptrdiff_t>(to), at, at + 1);
}

/// The worker has done its share: it ends by itself while its successor starts.
void dispatcher::replace(worker_index index, effects& out) {
    leave_idle(index);
    workers_[index] = worker{};
    workers_[index].tasks_left =
        limits_.max_tasks_per_worker != 0 ? limits_.max_tasks_per_worker : unlimited;
    out.retire.push_back(index);
    out.start.push_back(index);
}

/// A worker that is alive, or about to be: one that cannot be replaced is no reason to give up.
bool dispatcher::any_hope() const noexcept {
    return std::ranges::any_of(workers_, [](const worker& w) { return w.state != life::gone; });
}

bool dispatcher::busy() const noexcept {
    return std::ranges::any_of(workers_, [](const worker& w) { return !w.inflight.empty(); });
}

// --- time ---------------------------------------------------------------------------------------------------------

dispatcher::time_point dispatcher::next_deadline() const noexcept {
    auto next = std::min(steal_check_, restart_check_);
    if (!run_deadlines_.empty()) next = std::min(next, run_deadlines_.begin()->first);
    if (!queue_deadlines_.empty()) next = std::min(next, queue_deadlines_.begin()->first);
    return next;
}

void dispatcher::expire(time_point now, effects& out) {
    while (!queue_deadlines_.empty() && queue_deadlines_.begin()->first <= now) {
        const work_ptr w{queue_deadlines_.begin()->second};
        const auto index = first_waiting(*w);
        failure_info where;
        where.index = w->many() ? index : 0;
        where.label = w->settings_.label_text();
        fail_item(*w, index,
                  std::make_exception_ptr(failed<timeout_error>{
                      out_of_time(timeout_kind::queued, *w, index), std::move(where)}),
                  failure_kind::timed_out);
        leave_queue(*w);
        settle_if_done(*w, out);
    }
    if (steal_check_ <= now) {
        steal_check_ = time_point::max();
        if (!idle_.empty() && prefetched_ != 0) steal_for_idle(now, out, true);
    }
    if (restart_check_ <= now) {
        restart_check_ = time_point::max();
        for (const auto index : std::exchange(to_restart_, {})) {
            workers_[index].state = life::starting;
            out.start.push_back(index);
        }
    }
    check_drained(out);
}

std::optional<effects::target> dispatcher::overdue(time_point now) const noexcept {
    if (run_deadlines_.empty() || run_deadlines_.begin()->first > now) return {};
    const auto index = run_deadlines_.begin()->second;
    return effects::target{index, workers_[index].inflight.front().what.id};
}

bool dispatcher::check_overdue(worker_index index, std::optional<time_point> began,
                               time_point now) {
    const auto* c = running(index);
    if (c == nullptr) {
        set_deadline(index, time_point::max());
        return false;
    }
    const auto at = began.value_or(now) + c->of->settings_.timeout;
    if (at <= now) return true;
    set_deadline(index, at);
    return false;
}

// --- ends of the pool ---------------------------------------------------------------------------------------------

void dispatcher::close(effects& out) {
    closed_ = true;
    check_drained(out);
}

void dispatcher::check_drained(effects& out) {
    if (!closed_ || drained_ || open_works_ != 0) return;
    drained_ = true;
    out.drained = true;
    to_restart_.clear();
    restart_check_ = steal_check_ = time_point::max();
}

void dispatcher::fail_everything(const std::exception_ptr& error, failure_kind kind,
                                 bool also_running, effects& out) {
    while (work* w = queue_.front()) {
        const work_ptr alive{w};
        if (also_running) {
            cancel(*w, error, kind, out);
            continue;
        }
        fail_item(*w, first_waiting(*w), error, kind);
        leave_queue(*w);
        settle_if_done(*w, out);
    }
    while (!unfinished_streams_.empty()) {
        work& w = **unfinished_streams_.begin(); // failing takes it off the list
        if (also_running) {
            cancel(w, error, kind, out);
            continue;
        }
        fail_item(w, w.end_, error, kind);
        settle_if_done(w, out);
    }
    if (!also_running) return;
    for (worker_index i = 0; i < workers_.size(); ++i)
        for (auto& f : workers_[i].inflight) {
            if (!f.what.of) continue;
            const work_ptr w = f.what.of;
            cancel(*w, error, kind, out);
        }
}

void dispatcher::terminate(std::exception_ptr error, effects& out) {
    closed_ = true;
    fail_everything(error, failure_kind::cancelled, true, out);
    check_drained(out);
}

void dispatcher::break_down(std::exception_ptr error, effects& out) {
    broken_ = std::move(error);
    to_restart_.clear();
    restart_check_ = time_point::max();
    fail_everything(broken_, failure_kind::failed, false, out);
    check_drained(out);
}

pool_stats dispatcher::stats() const noexcept {
    pool_stats s = counts_;
    std::uint64_t handed_out = 0;
    for (const worker& wk : workers_) {
        const bool on_duty = !drained_; // then they are on their way out
        if (on_duty && (wk.state == life::idle || wk.state == life::busy)) ++s.workers;
        if (on_duty && wk.state == life::idle) ++s.idle;
        for (const flight& f : wk.inflight)
            if (f.what.of) handed_out += f.what.count;
        if (!wk.inflight.empty() && wk.inflight.front().what.of) ++s.running;
    }
    s.queued = handed_out - std::min(handed_out, s.running) + queue_.waiting_items();
    return s;
}

} // namespace coproc::detail
