// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How calls come from the inbox to the threads: the part of the backend that saves wake-ups.

#include <coproc/detail/moving_average.hpp>

#include <dummy_backend.hpp>
#include <dummy_errands.hpp>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

// After a call of this length the inbox is looked at soon enough for nobody to be woken meanwhile.
constexpr float short_call_ns = 5'000;
// So much work is to wait in the inbox before it is worth a wake-up while a thread is at it.
constexpr float wake_worth_ns = 20'000;
// When a call that was thought to be short is found not to be, should nothing show it sooner.
constexpr auto short_call_patience = 1ms;

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
    if (!inbox_.fetch()) return;
    while (inbox_.fetched() != 0 && dispatcher_.any_idle() && !better_held_back()) {
        dispatcher_.submit(*inbox_.pop(), {}, effects_);
        hand_out(later);
    }
}

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
    if (short_runs_ != 0 && dispatcher_.any_idle() && look_after_at_ == steady::time_point::max()) {
        look_after_at_ = steady::now() + short_call_patience;
        for (worker_index i = 0; i < slots_.size(); ++i)
            remember_running(i);
        set_timer();
    }
}

void dummy_backend::remember_running(worker_index index) noexcept {
    const auto* c = dispatcher_.running(index);
    slots_[index].seen_running = c != nullptr ? c->id : 0;
}

/// A call that is still running since it was last looked at is not short: nobody should wait for
/// its thread to look into the inbox.
void dummy_backend::look_after_short_calls(steady::time_point now) {
    if (look_after_at_ > now) return;
    look_after_at_ = steady::time_point::max();
    for (worker_index i = 0; i < slots_.size(); ++i) {
        if (slots_[i].listens != ear::running) continue;
        const auto* c = dispatcher_.running(i);
        if (c == nullptr || c->id != slots_[i].seen_running) continue;
        set_ear(i, ear::none);
        measure(short_call_patience);
    }
}

/// Somebody is about to sleep until a call is done that no thread has taken yet.
void dummy_backend::nudge() {
    decide([&](errands&) {
        if (short_runs_ == 0 || !dispatcher_.any_idle()) return;
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
