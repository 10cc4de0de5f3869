// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Where everything is: the chunks at the workers, their deadlines, and who is idle.

#include <coproc/detail/dispatcher.hpp>

#include <algorithm>
#include <utility>

namespace coproc::detail {

[[gnu::hot]] std::optional<std::size_t>
dispatcher::find_flight(worker_index index, std::uint64_t chunk_id) const noexcept {
    const auto& flights = workers_[index].inflight;
    for (std::size_t i = 0; i < flights.size(); ++i)
        if (flights[i].what.id == chunk_id) return i;
    return {};
}

[[gnu::hot]] chunk dispatcher::remove_flight(worker_index index, std::size_t position,
                                             time_point now, effects& out) {
    worker& wk = workers_[index];
    flight f = std::move(wk.inflight[position]);
    if (position == 0)
        wk.inflight.pop_front();
    else
        wk.inflight.erase(wk.inflight.begin() + static_cast<std::ptrdiff_t>(position));
    wk.expected_ns = wk.inflight.empty()
                         ? 0
                         : std::max(0.0, wk.expected_ns - static_cast<double>(f.expected_ns));
    if (position == 0 && std::exchange(wk.stuck, false)) --stuck_;
    if (wk.inflight.empty()) {
        --at_work_;
    } else {
        --prefetched_;
        prefetched_ns_ -= position == 0 ? wk.inflight.front().expected_ns : f.expected_ns;
    }
    if (position == 0) watch_front(index, now);
    lay(f, out);
    return std::move(f.what);
}

/// Of a cancelled work: when the last of its ghosts goes, nobody reads its inputs any more.
[[gnu::hot]] void dispatcher::lay(flight& ghost, effects& out) {
    if (ghost.unwanted && --ghost.unwanted->ghosts_ == 0)
        out.left.push_back(std::move(ghost.unwanted));
}

void dispatcher::forget_workers(effects& out) {
    for (worker& w : workers_)
        for (flight& f : w.inflight)
            lay(f, out);
}

const chunk* dispatcher::in_flight(worker_index index, std::uint64_t chunk_id) const noexcept {
    const auto at = find_flight(index, chunk_id);
    return at && workers_[index].inflight[*at].what.of ? &workers_[index].inflight[*at].what
                                                       : nullptr;
}

[[gnu::hot]] const chunk* dispatcher::running(worker_index index) const noexcept {
    const auto& flights = workers_[index].inflight;
    return flights.empty() || !flights.front().what.of ? nullptr : &flights.front().what;
}

[[gnu::hot]] void dispatcher::set_deadline(worker_index index, time_point at) {
    worker& wk = workers_[index];
    if (wk.deadline == at) return;
    if (wk.deadline != time_point::max()) run_deadlines_.erase({wk.deadline, index});
    wk.deadline = at;
    if (at != time_point::max()) run_deadlines_.emplace(at, index);
}

/// The first chunk in flight is what runs, or is about to.
[[gnu::hot]] void dispatcher::watch_front(worker_index index, time_point now) {
    const auto* c = running(index);
    const auto timeout = c != nullptr ? c->of->settings_.timeout : std::chrono::nanoseconds{0};
    set_deadline(index, timeout.count() > 0 && timeout < time_point::max() - now
                            ? now + timeout
                            : time_point::max());
}

[[gnu::hot]] void dispatcher::leave_idle(worker_index index) noexcept {
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

void dispatcher::adopt(worker_index index, work& call, time_point now) {
    ++open_works_;
    ++call.in_flight_;
    call.next_ = call.end_;
    call.hint_worker(static_cast<int>(index));
    ++at_work_;
    workers_[index].inflight.push_back(
        {chunk{work_ptr{&call}, ++last_chunk_id_, 0, 1, 1}, 1e12F}); // nobody knows how long
    workers_[index].expected_ns += 1e12;
    watch_front(index, now);
}

void dispatcher::release(worker_index index, time_point now, effects& out) {
    refill(index, now, out);
    check_drained(out);
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

} // namespace coproc::detail
