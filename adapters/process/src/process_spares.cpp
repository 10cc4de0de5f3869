// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Workers beyond those that a pool has places for. To start a program takes milliseconds, and
// longer the more it does before main: a pool that has had to replace a worker will have to replace
// another, so it has the next one started while the others work. A spare waits in front of its
// first words: what it is to know, and its initializer, come with its place.

#include <src/process_plan.hpp>
#include <src/reactor.hpp>

#include <algorithm>
#include <exception>

namespace coproc::detail {

/// How many there are to be now. None where what a worker is depends on its place, or on the moment
/// in which it is made: a fork is a copy of the program as it is when the worker is needed.
std::size_t process_backend::spares_to_hold() const noexcept {
    if (dismissed_ || !dispatcher_.accepts() || dispatcher_.broken() ||
        method_ == start_method::fork || placement_.binds())
        return 0;
    return spare_workers_.value_or(any_replaced_ ? 1 : 0);
}

/// For when a worker has become ready: its first call goes before. Under the lock.
void process_backend::see_to_spares() noexcept {
    const auto wanted = spares_to_hold();
    if (spares_.size() >= wanted) return;
    const bool under_way = spares_due_ != 0;
    // No more than these, also if they should end as soon as they have been started.
    spares_due_ = std::max(spares_due_, wanted - spares_.size());
    if (!under_way) launch_next_spare();
}

/// One at a time: what is needed at once may have come in between. Under the lock.
void process_backend::launch_next_spare() noexcept {
    try {
        launch_later(
            [self = boost::intrusive_ptr<process_backend>{this}] { self->launch_spare(); });
    } catch (const std::exception&) { // no memory
        spares_due_ = 0;
    }
}

void process_backend::launch_spare() {
    bool launched = false;
    try {
        launched = launch_seat(std::nullopt) != nullptr;
    } catch (const std::exception&) {
        // It is not missed yet. Whoever needs a worker tries again, and tells what is wrong.
    }
    const std::scoped_lock lock{mutex_};
    spares_due_ = launched ? spares_due_ - 1 : 0;
    if (spares_due_ != 0) launch_next_spare();
}

seat_ptr process_backend::give_place_to_spare(worker_index index) {
    const std::scoped_lock lock{mutex_};
    if (spares_.empty()) return nullptr;
    seat_ptr seat = std::move(spares_.front());
    spares_.pop_front();
    seat->was_spare = true;
    seat->take_place(index);
    seats_[index] = seat;
    return seat;
}

/// Whether it is one, which has ended.
bool process_backend::drop_spare(const seat_ptr& seat) noexcept {
    const std::scoped_lock lock{mutex_};
    const auto at = std::ranges::find(spares_, seat);
    if (at == spares_.end()) return false;
    spares_.erase(at);
    return true;
}

} // namespace coproc::detail
