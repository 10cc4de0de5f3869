// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/cpu_count.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/detail/log_later.hpp>
#include <src/process_plan.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

constexpr unsigned put_in_order_every = 64;
// How deep a worker's queue of tiny tasks may be; the channel guarantees room for twice as many.
constexpr std::uint32_t prefetch_depth = 48;
static_assert(prefetch_depth + 1 < outbox::capacity);
constexpr auto memory_check_interval = 50ms;

dispatcher_limits limits_of(const pool_options& options) {
    dispatcher_limits limits;
    limits.workers = options.workers != 0 ? options.workers : cpu_count();
    limits.max_tasks_per_worker = options.max_tasks_per_worker;
    limits.max_worker_memory = options.max_worker_memory;
    limits.prefetch = prefetch_depth;
    limits.cpus = known_cpu_count();
    limits.restarts = std::max(4U, 2 * limits.workers);
    return limits;
}

} // namespace

process_backend::process_backend(const pool_options& options)
    : process_backend{options, limits_of(options)} {}

process_backend::process_backend(const pool_options& options, dispatcher_limits limits)
    : backend{options},
      method_{options.start.value_or(get_start_method())},
      omp_threads_{std::max(1U, cpu_count() / limits.workers)},
      placement_{place_workers(options.affinity, limits.workers)},
      initializer_{options.initializer},
      max_worker_memory_{options.max_worker_memory},
      spare_workers_{options.spare_workers},
      tag_output_{options.tag_output},
      dispatcher_{[&] {
          limits.asleep = [this](worker_index w) { return seats_[w] && seats_[w]->asleep(); };
          return limits; // what follows reads them, too
      }()},
      seats_(limits.workers),
      joined_{new result_state<void>},
      timer_{reactor()} {}

process_backend::~process_backend() = default;

backend_ptr make_process_backend(const pool_options& options) {
    refuse_if_worker_without_runtime();
    const boost::intrusive_ptr<process_backend> made{new process_backend{options}};
    made->start();
    return made;
}

void process_backend::start() {
    plan p;
    {
        const std::scoped_lock lock{mutex_};
        dispatcher_.start(effects_);
        p.start.swap(effects_.start);
    }
    for (const auto index : p.start) {
        try {
            if (const seat_ptr seat = launch_seat(index)) seat->greet();
        } catch (...) {
            terminate();
            throw;
        }
    }
}

// --- the backend's interface --------------------------------------------------------------------------------------

[[gnu::hot]] void process_backend::submit(work& w) {
    if (!w.remote())
        throw std::logic_error{
            "coproc: this work can only run on threads (it was made for a dummy pool)"};
    bool left = false;
    if (w.plain() && crowded_.load(std::memory_order_relaxed)) {
        left = inbox_.leave(w) != work_inbox::answer::shut;
        if (left && crowded_.load(std::memory_order_seq_cst)) { // after leave(): see work_inbox
            put_in_order();
            return;
        }
    }
    listener by{.to = &w, .caller = w.submitter_waits() && !on_reactor_thread()};
    if (!by.caller && !w.many()) by.loop = loop_bell::here();
    const bool accepted = decide(
        [&](dispatcher& d, effects& out) {
            fetch_left();
            if (left) return true;
            if (!d.accepts()) return false;
            if (w.plain())
                submit_plain(w);
            else
                d.submit(w, steady::now(), out);
            return true;
        },
        by);
    if (!accepted) throw pool_closed_error{};
    if (by.loop) by.loop->look_soon();
}

void process_backend::extend(work& w, std::uint64_t items, bool more_to_come) {
    decide([&](dispatcher& d, effects& out) {
        fetch_left();
        d.extend(w, items, more_to_come, steady::now(), out);
        return true;
    });
}

bool process_backend::cancel(work& w) {
    const auto error = called_off(w);
    return decide([&](dispatcher& d, effects& out) {
        fetch_left();
        return d.cancel(w, error, failure_kind::cancelled, out);
    });
}

void process_backend::close() {
    decide([&](dispatcher& d, effects& out) {
        inbox_.shut();
        fetch_left();
        d.close(out);
        return true;
    });
}

void process_backend::terminate() {
    decide([&](dispatcher& d, effects& out) {
        terminated_ = true;
        inbox_.shut();
        fetch_left();
        d.terminate(terminated_error(), out);
        out.stop.clear(); // all workers are stopped
        out.start.clear();
        out.assign.clear();
        return true;
    });
    dismiss_all(true);
}

void process_backend::dismiss_all(bool at_once) {
    std::vector<seat_ptr> seats;
    {
        const std::scoped_lock lock{mutex_};
        dismissed_ = true;
        seats.assign(processes_.begin(), processes_.end());
        if (!at_once) std::erase_if(seats, [](const seat_ptr& s) { return s->retired; });
        for (const auto& s : seats)
            s->retired = true;
        std::ranges::fill(seats_, nullptr);
        spares_.clear();
    }
    for (const auto& seat : seats) {
        if (at_once || !seat->was_ready()) {
            seat->leave();
            seat->process().kill();
        } else {
            seat->retire();
        }
    }
    decide([](dispatcher&, effects&) { return true; }); // perhaps none was left
}

void process_backend::abandon_streams_of(std::thread::id consumer) {
    decide([&](dispatcher& d, effects& out) {
        d.end_streams([&](const work& w) { return w.consumer() == consumer; }, read_no_further,
                      out);
        return true;
    });
}

bool process_backend::closed() const {
    const std::scoped_lock lock{mutex_};
    return !dispatcher_.accepts();
}

pool_stats process_backend::stats() {
    // Decides nothing, so that it may be asked at any time: also by a codec, while a call is sent.
    const std::scoped_lock lock{mutex_};
    inbox_.fetch();
    auto now = dispatcher_.stats();
    now.queued += inbox_.fetched();
    now.spares = spares_.size();
    return now;
}

// --- deciding and carrying out ------------------------------------------------------------------------------------

/// Under the lock: each has its place in the queue then, as if there were no inbox.
[[gnu::hot]] void process_backend::fetch_left() {
    inbox_.fetch();
    while (inbox_.fetched() != 0)
        submit_plain(*inbox_.pop());
}

/// Nothing of a plain call can run out of time: the clock is mostly spared.
[[gnu::hot]] void process_backend::submit_plain(work& w) {
    dispatcher_.submit(w, dispatcher_.may_hold_back() ? steady::now() : steady::time_point{},
                       effects_);
}

/// The end of every decision: what has been left comes behind others, or is handed out now.
[[gnu::hot]] void process_backend::see_to_inbox() {
    for (;;) {
        const bool crowded = dispatcher_.plain_waits();
        if (crowded != crowded_.load(std::memory_order_relaxed))
            crowded_.store(crowded, std::memory_order_seq_cst);
        // After the store: see work_inbox.
        if (crowded || (inbox_.fetched() == 0 && !inbox_.any_left())) return;
        fetch_left();
    }
}

/// Now and then by those who submit, in whose cache the calls are; not if they would have to wait.
void process_backend::put_in_order() {
    thread_local unsigned left = 0;
    if (++left < put_in_order_every) return;
    std::unique_lock lock{mutex_, std::try_to_lock};
    left = lock ? 0 : put_in_order_every / 2;
    if (!lock) return;
    const auto fetch = [this](dispatcher&, effects&) {
        fetch_left();
        return true;
    };
    decide(std::move(lock), fetch, listener{});
}

[[gnu::hot]] void process_backend::bind(plan& p) {
    if (dismissed_ && processes_.empty() && leaving_ == 0 && launching_ == 0 &&
        !std::exchange(joined_published_, true)) {
        p.all_ended = true;
        dispatcher_.forget_workers(effects_);
    }
    for (const auto& r : effects_.recall)
        p.recall.push_back({seats_[r.worker], r.chunk_id});
    for (const auto& s : effects_.stop)
        p.stop.push_back({seats_[s.worker], s.chunk_id});
    for (auto& [worker, what] : effects_.assign) {
        const auto& seat = seats_[worker];
        if (!seat) continue;
        seat->post(std::move(what));
        if (p.assign.empty() || p.assign.back() != seat) p.assign.push_back(seat);
    }
    for (const auto index : effects_.retire) {
        seats_[index]->retired = true;
        p.retire.push_back(std::move(seats_[index]));
        seats_[index] = nullptr;
    }
    any_replaced_ |= !effects_.start.empty();
    p.start.swap(effects_.start);
    p.finished.swap(effects_.finished);
    p.left.swap(effects_.left);
    p.drained = effects_.drained;
    effects_.clear();
    auto next = dispatcher_.next_deadline();
    if (max_worker_memory_ != 0 && dispatcher_.busy())
        next = std::min(next, steady::now() + memory_check_interval);
    if (next < timer_at_) {
        timer_at_ = next;
        p.timer = true;
    }
}

[[gnu::hot]] void process_backend::carry_out(plan& p, const listener& by) {
    for (const auto& r : p.recall)
        if (r.seat) take_back(r.seat, r.chunk_id, false);
    for (const auto& s : p.stop)
        if (s.seat) take_back(s.seat, s.chunk_id, true);
    for (const auto& seat : p.assign)
        send(seat, by);
    for (const auto& w : p.finished) {
        if (!w->left_behind()) w->let_go();
        w->finish();
    }
    for (const auto& w : p.left)
        w->let_go();
    for (const auto index : p.start)
        replace_worker(index);
    for (const auto& seat : p.retire)
        seat->retire();
    if (p.drained) dismiss_all(false);
    if (p.timer) set_timer();
    if (p.all_ended) {
        after_logging([joined = joined_] { joined->complete(); });
        boost::asio::post(reactor(), [self = boost::intrusive_ptr<process_backend>{this}] {
            self->timer_.cancel();
        });
    }
}

} // namespace coproc::detail
