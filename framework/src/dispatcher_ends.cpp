// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How works and the pool end: settled, failed, closed, terminated, broken.

#include <coproc/detail/dispatcher.hpp>

#include <algorithm>

namespace coproc::detail {

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

[[gnu::hot]] bool dispatcher::may_settle(const work& w) noexcept {
    return !w.settled_ && w.in_flight_ == 0 && !w.has_waiting() && !w.more_to_come_;
}

void dispatcher::settle_if_done(work& w, effects& out) {
    if (may_settle(w)) settle(work_ptr{&w}, out);
}

[[gnu::hot]] void dispatcher::settle(work_ptr w, effects& out) {
    w->settled_ = true;
    w->left_behind_ = w->ghosts_ != 0;
    leave_queue(*w);
    if (!unfinished_streams_.empty()) unfinished_streams_.erase(w.get());
    if (!stream_deadlines_.empty()) stream_deadlines_.erase(w.get());
    out.finished.push_back(std::move(w));
    --open_works_;
}

// --- ends of the pool ---------------------------------------------------------------------------------------------

void dispatcher::close(effects& out) {
    closed_ = true;
    check_drained(out);
}

[[gnu::hot]] void dispatcher::check_drained(effects& out) {
    if (!closed_ || drained_ || open_works_ != 0) return;
    drained_ = true;
    out.drained = true;
    to_restart_.clear();
    restart_check_ = stuck_check_ = time_point::max();
}

void dispatcher::fail_everything(const error_for& error, failure_kind kind, bool also_running,
                                 effects& out) {
    while (work* w = queue_.front()) {
        const work_ptr alive{w};
        if (also_running) {
            cancel(*w, error(*w), kind, out);
            continue;
        }
        fail_item(*w, first_waiting(*w), error(*w), kind);
        leave_queue(*w);
        settle_if_done(*w, out);
    }
    while (!unfinished_streams_.empty()) {
        work& w = **unfinished_streams_.begin(); // failing takes it off the list
        if (also_running) {
            cancel(w, error(w), kind, out);
            continue;
        }
        fail_item(w, w.end_, error(w), kind);
        settle_if_done(w, out);
    }
    if (!also_running) return;
    for (worker_index i = 0; i < workers_.size(); ++i)
        for (auto& f : workers_[i].inflight) {
            if (!f.what.of) continue;
            const work_ptr w = f.what.of;
            cancel(*w, error(*w), kind, out);
        }
}

void dispatcher::terminate(const error_for& error, effects& out) {
    closed_ = true;
    fail_everything(error, failure_kind::cancelled, true, out);
    check_drained(out);
}

void dispatcher::break_down(std::exception_ptr error, effects& out) {
    broken_ = std::move(error);
    to_restart_.clear();
    restart_check_ = time_point::max();
    fail_everything([this](const work&) { return broken_; }, failure_kind::failed, false, out);
    check_drained(out);
}

} // namespace coproc::detail
