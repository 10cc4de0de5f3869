// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/dispatcher.hpp>

#include <coproc/detail/failed.hpp>
#include <coproc/error.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

constexpr auto restart_delay = 500ms;

std::string title(const work& w) {
    const std::string_view label = w.settings().label_text();
    return label.empty() ? "coproc: the task" : "coproc: task \"" + std::string{label} + '"';
}

} // namespace

timeout_error out_of_time(timeout_kind kind, const work& w, std::uint64_t item, bool stopped) {
    std::string text = title(w);
    if (w.many()) text += ", item " + std::to_string(item) + ',';
    text += kind == timeout_kind::queued ? " did not start within its queue_timeout"
            : stopped                    ? " was stopped, it ran past its timeout"
                      : " ran past its timeout and was given up; its thread, which cannot be "
                        "stopped, goes on until it looks at this_task::stop_token";
    return {kind, text};
}

std::exception_ptr called_off(const work& w, std::string_view reason) {
    std::string text = title(w) + " was cancelled";
    if (!reason.empty()) text += ": " + std::string{reason};
    failure_info where;
    where.label = w.settings().label_text();
    return std::make_exception_ptr(
        failed<cancelled_error>{cancelled_error{text}, std::move(where)});
}

std::exception_ptr read_no_further(const work& w) {
    return called_off(w, "the thread that reads the stream joined the pool, so that the rest of "
                         "its input was not read (read to the end before join)");
}

error_for terminated_error() {
    return [common = std::exception_ptr{}](const work& w) mutable {
        constexpr std::string_view reason = "the pool was terminated";
        w.core().mark_observed();
        if (!w.settings().label_text().empty()) return called_off(w, reason);
        if (!common) common = called_off(w, reason);
        return common;
    };
}

[[gnu::hot]] void effects::clear() noexcept {
    recall.clear();
    stop.clear();
    assign.clear();
    start.clear();
    retire.clear();
    finished.clear();
    left.clear();
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

[[gnu::hot]] void dispatcher::submit(work& w, time_point now, effects& out) {
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
    if (w.settings_.queue_timeout.count() > 0) w.queue_deadline_ = must_start_by(w, now);
    if (queue_.empty() && moving() == 0 && !idle_.empty() && !w.many()) {
        // It is the only call there is, and need not go through the queue.
        const auto index = idle_.back();
        assign(index, w, now, out);
        place(index, now, out);
        return;
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
    if (items != 0 && w.settings_.queue_timeout.count() > 0) {
        stream_deadlines_[&w].push_back({w.end_, must_start_by(w, now)});
        look_to_next_items(w);
    }
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
                f.unwanted = std::move(f.what.of); // a ghost: the worker is still busy with it
                --w.in_flight_;
                ++w.ghosts_;
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

[[gnu::hot]] bool dispatcher::done(worker_index index, std::uint64_t chunk_id,
                                   chunk_outcome outcome, std::chrono::nanoseconds took,
                                   std::size_t rss, time_point now, effects& out) {
    worker& wk = workers_[index];
    const auto at = find_flight(index, chunk_id);
    if (!at) return false;
    chunk c = remove_flight(index, *at, now, out);
    if (limits_.max_worker_memory != 0 && rss > limits_.max_worker_memory) wk.retiring = true;
    const bool wanted = c.of != nullptr;
    if (wanted) {
        work& w = *c.of;
        --w.in_flight_;
        measure(w, std::max(1U, outcome.ok), took, std::exchange(wk.unused, false));
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
    if (prefetched_ != 0 || (!idle_.empty() && !queue_.empty())) watch_for_stuck(now);
    check_drained(out);
    return wanted;
}

void dispatcher::returned(worker_index index, std::uint64_t chunk_id, time_point now,
                          effects& out) {
    const auto at = find_flight(index, chunk_id);
    if (!at) return;
    const chunk c = remove_flight(index, *at, now, out);
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
    if (!flights.empty()) {
        --at_work_;
        if (wk.stuck) --stuck_;
        prefetched_ -= flights.size() - 1;
        prefetched_ns_ -= wk.expected_ns - flights.front().expected_ns;
    }
    set_deadline(index, time_point::max());
    ++counts_.workers_lost;
    // The last one first, so that what was handed out first is what runs first again.
    for (auto f = flights.rbegin(); f != flights.rend(); ++f) {
        const chunk& c = f->what;
        lay(*f, out);
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
    const chunk c = remove_flight(index, *at, now, out);
    if (c.of) {
        --c.of->in_flight_;
        if (item + 1 < c.count) give_back(c, item + 1, c.count - item - 1, 1);
        fail_item(*c.of, c.first + item, std::move(error), failure_kind::failed);
        if (item != 0) give_back(c, 0, item, 1);
        settle_if_done(*c.of, out);
    }
    top_up(now, out);
    refill(index, now, out);
    check_drained(out);
}

// --- time ---------------------------------------------------------------------------------------------------------

[[gnu::hot]] dispatcher::time_point dispatcher::next_deadline() const noexcept {
    auto next = std::min(stuck_check_, restart_check_);
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
    if (stuck_check_ <= now) {
        stuck_check_ = time_point::max();
        if (prefetched_ != 0 || (!idle_.empty() && !queue_.empty())) pass_by_stuck(now, out);
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
