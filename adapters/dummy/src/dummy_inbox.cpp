// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How calls come from the inbox to the threads: the part of the backend that saves wake-ups.

#include <coproc/detail/moving_average.hpp>

#include <algorithm>
#include <array>
#include <dummy_backend.hpp>
#include <dummy_errands.hpp>
#include <functional>
#include <span>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

// After a call of this length the inbox is looked at soon enough for nobody to be woken meanwhile.
constexpr float short_call_ns = 5'000;
// So much work is to wait in the inbox before it is worth a wake-up while a thread is at it.
constexpr float wake_worth_ns = 20'000;
// What a thread takes at once of short calls.
constexpr float run_ns = 10'000;
// When a call that was thought to be short is found not to be, should nothing show it sooner: while
// threads are idle, and while all have enough to do, so that only what waits behind it in its run
// suffers.
constexpr auto short_call_patience = 1ms;
constexpr auto crowded_patience = 10ms;

} // namespace

void dummy_backend::set_ear(worker_index index, ear how) noexcept {
    auto& now = slots_[index].listens;
    if (now == ear::spinning) --spinning_;
    if (now == ear::running) --short_runs_;
    now = how;
    if (now == ear::spinning) ++spinning_;
    if (now == ear::running) ++short_runs_;
}

void dummy_backend::hand_out(errands& later) {
    for (auto& each : effects_.assign) {
        const bool is_short = call_ns_ > 0 && call_ns_ < short_call_ns && each.what.of->plain();
        set_ear(each.worker, is_short ? ear::running : ear::none);
        auto& to = slots_[each.worker].thread;
        if (to->post(std::move(each.what))) later.wake.push_back(to);
    }
    effects_.assign.clear();
}

/// Everything becomes the dispatcher's business: something has happened for which the order or the
/// place of each counts.
void dummy_backend::flush(errands& later) {
    inbox_.fetch();
    recall_runs();
    while (inbox_.fetched() != 0)
        dispatcher_.submit(*inbox_.pop(), {}, effects_);
    hand_out(later);
}

/// A sleeping thread is not woken for what one that is awake will have done sooner.
bool dummy_backend::better_held_back() const noexcept {
    return short_runs_ != 0 && slots_[dispatcher_.next_idle()].listens == ear::none &&
           static_cast<float>(inbox_.fetched()) * call_ns_ < wake_worth_ns;
}

/// Hands out what has been left to idle threads. What remains waits for a thread that is at work.
void dummy_backend::feed(errands& later) {
    if (dispatcher_.broken()) { // it fails everything at once, and no thread will ever look
        inbox_.shut();
        flush(later);
        carry_out(later);
        return;
    }
    // While there is more than enough for a thread, the word is left to those who submit.
    if (inbox_.fetched() < call_run::most && !inbox_.fetch()) return;
    while (inbox_.fetched() != 0 && dispatcher_.any_idle() && !better_held_back()) {
        if (const auto calls = run_length(); calls > 1) {
            start_run(calls, later);
        } else {
            dispatcher_.submit(*inbox_.pop(), {}, effects_);
            hand_out(later);
        }
    }
}

// --- runs of short calls --------------------------------------------------------------------------

/// How many calls the next thread gets at once: as many as are run in a moment, but those who spin
/// get their share.
std::size_t dummy_backend::run_length() const noexcept {
    if (!in_runs_ || call_ns_ <= 0 || call_ns_ >= short_call_ns) return 1;
    const auto in_a_moment = static_cast<std::size_t>(run_ns / call_ns_);
    const auto those = std::max<std::size_t>(1, spinning_);
    return std::min(
        {std::size_t{call_run::most}, in_a_moment, (inbox_.fetched() + those - 1) / those});
}

void dummy_backend::start_run(std::size_t calls, errands& later) {
    const auto index = dispatcher_.next_idle();
    std::array<work*, call_run::most> list{};
    for (std::size_t i = 0; i < calls; ++i) {
        list[i] = inbox_.pop().detach();
        list[i]->undispatched(true);
    }
    dispatcher_.occupy(index);
    set_ear(index, ear::running);
    auto& to = slots_[index].thread;
    if (to->post_run(std::span{list}.first(calls), ++runs_)) later.wake.push_back(to);
}

/// What a thread has not begun comes first in the inbox again, and what it runs becomes the
/// dispatcher's business.
void dummy_backend::recall_run(worker_index index) {
    auto& run = slots_[index].thread->run;
    const auto back = run.recall();
    dispatcher_.count_completed(run.take_completed());
    for (work* each : back.waiting)
        each->undispatched(false);
    inbox_.put_back(back.waiting);
    if (back.adopted != nullptr) {
        back.adopted->undispatched(false);
        dispatcher_.adopt(index, *back.adopted, steady::now());
    }
}

/// All of them, so that the oldest calls are the first.
void dummy_backend::recall_runs() {
    boost::container::small_vector<worker_index, 8> newest_first;
    for (worker_index i = 0; i < slots_.size(); ++i)
        if (slots_[i].thread) newest_first.push_back(i);
    std::ranges::sort(newest_first, std::ranges::greater{},
                      [this](worker_index i) { return slots_[i].thread->run.number(); });
    for (const auto index : newest_first)
        recall_run(index);
}

// --- who listens ----------------------------------------------------------------------------------

/// The end of every decision: what has been left is in somebody's care.
void dummy_backend::see_that_somebody_listens(errands& later) {
    for (;;) {
        feed(later);
        const bool deaf = dispatcher_.any_idle() && spinning_ + short_runs_ == 0;
        if (deaf != deaf_.load(std::memory_order_relaxed))
            deaf_.store(deaf, std::memory_order_seq_cst);
        // After the store: see work_inbox. What was left while somebody listened is fetched here,
        // and whoever leaves the next sees that nobody does.
        if (!deaf || !inbox_.any_left()) break;
    }
    const bool soon = dispatcher_.any_idle();
    const bool looks = look_after_at_ != steady::time_point::max();
    if (short_runs_ != 0 && (!looks || (soon && !looks_soon_))) {
        look_after_at_ = steady::now() + (soon ? short_call_patience : crowded_patience);
        looks_soon_ = soon;
        for (worker_index i = 0; i < slots_.size(); ++i)
            slots_[i].seen_at = place_of(i);
        set_timer();
    }
}

/// Which call a thread is at; it changes when the thread gets on.
std::uint64_t dummy_backend::place_of(worker_index index) const noexcept {
    if (const auto* c = dispatcher_.running(index)) return c->id;
    const auto& thread = slots_[index].thread;
    return thread ? thread->run.place() : 0;
}

/// A call that is still running since it was last looked at is not short: nobody should wait for
/// its thread to look into the inbox, nor behind it in a run.
void dummy_backend::look_after_short_calls(steady::time_point now) {
    if (look_after_at_ > now) return;
    look_after_at_ = steady::time_point::max();
    const auto is_late = [this](worker_index i) {
        return slots_[i].listens == ear::running && place_of(i) == slots_[i].seen_at;
    };
    bool any = false;
    for (worker_index i = 0; i < slots_.size(); ++i) {
        if (!is_late(i)) continue;
        any = true;
        set_ear(i, ear::none);
        measure(short_call_patience);
    }
    if (any) recall_runs();
}

/// Somebody is about to sleep until a call is done that no thread has taken yet, or that is in a
/// run.
void dummy_backend::nudge() {
    decide([&](errands&) {
        if (short_runs_ == 0 || !dispatcher_.any_idle()) return;
        recall_runs();
        for (worker_index i = 0; i < slots_.size(); ++i)
            if (slots_[i].listens == ear::running) set_ear(i, ear::none);
    });
}

void dummy_backend::measure(std::chrono::nanoseconds call) noexcept {
    call_ns_ = moving_average(call_ns_, ns_each(call));
}

/// After a decision about this thread. An idle one may spin unless enough others do; then it goes
/// behind them in the order of who is next.
bool dummy_backend::may_spin(worker_index index) noexcept {
    if (!dispatcher_.is_idle(index)) return true; // there is something in its mailbox
    set_ear(index, ear::none);
    if (spinning_ < most_spinning_) {
        set_ear(index, ear::spinning);
        return true;
    }
    dispatcher_.reorder_idle(index, spinning_);
    return false;
}

} // namespace coproc::detail
