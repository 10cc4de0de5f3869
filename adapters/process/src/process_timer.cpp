// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What happens when time has passed: deadlines, and looking at memory.

#include <os/clock.hpp>
#include <os/limits.hpp>
#include <src/process_plan.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <csignal>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

} // namespace

void process_backend::set_timer() {
    boost::asio::post(reactor(), [self = boost::intrusive_ptr<process_backend>{this}] {
        steady::time_point at;
        {
            const std::scoped_lock lock{self->mutex_};
            at = self->timer_at_;
        }
        if (at == steady::time_point::max()) return;
        self->timer_.expires_at(at);
        self->timer_.async_wait([self](boost::system::error_code ec) {
            if (!ec) self->on_timer();
        });
    });
}

void process_backend::on_timer() {
    struct overdue_task {
        seat_ptr seat;
        loss what;
    };
    std::vector<overdue_task> overdue;
    decide([&](dispatcher& d, effects& out) {
        const auto now = steady::now();
        timer_at_ = steady::time_point::max();
        d.expire(now, out);
        while (const auto t = d.overdue(now)) {
            const auto seat = seats_[t->worker];
            std::optional<steady::time_point> began;
            std::uint32_t item = 0;
            if (const auto running = seat ? seat->running() : std::nullopt;
                running && running->id == t->chunk_id) {
                item = running->item;
                if (running->started_ns != 0) began = os::to_steady(running->started_ns);
            }
            if (!d.check_overdue(t->worker, began, now)) continue;
            const auto& c = *d.running(t->worker);
            item = std::min(item, c.count - 1);
            loss what;
            what.chunk_id = t->chunk_id;
            what.item = item;
            what.kind = failure_kind::timed_out;
            what.may_retry = false;
            what.error = std::make_exception_ptr(
                failed<timeout_error>{out_of_time(timeout_kind::running, *c.of, c.first + item),
                                      seat->where(*c.of, c.first + item)});
            overdue.push_back({seat, std::move(what)});
            d.postpone(t->worker,
                       now + 10ms); // stopped below; asked about again should it survive that
        }
        return true;
    });
    for (auto& o : overdue)
        stop_seat(o.seat, std::move(o.what));
    if (max_worker_memory_ != 0) check_memory();
}

/// A worker that has grown beyond twice the limit is stopped with the task that it runs.
void process_backend::check_memory() {
    std::vector<seat_ptr> busy;
    decide([&](dispatcher& d, effects&) {
        for (worker_index i = 0; i < seats_.size(); ++i)
            if (seats_[i] && d.running(i) != nullptr) busy.push_back(seats_[i]);
        return true;
    });
    for (const auto& seat : busy) {
        if (os::resident_bytes(seat->process().pid()) <= 2 * max_worker_memory_) continue;
        const auto running = seat->running();
        if (!running) continue;
        loss what;
        decide([&](dispatcher& d, effects&) {
            const auto* c = d.running(seat->index());
            if (seats_[seat->index()] != seat || c == nullptr || c->id != running->id) return false;
            what.chunk_id = c->id;
            what.item = std::min(running->item, c->count - 1);
            what.error = lost_error(seat, *c->of, c->first + what.item, -SIGKILL,
                                    "grew beyond twice max_worker_memory and was stopped");
            return true;
        });
        if (what.chunk_id != 0) stop_seat(seat, std::move(what));
    }
}

} // namespace coproc::detail
