// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/process_backend.hpp>

#include <coproc/cpu_count.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/log.hpp>
#include <os/clock.hpp>
#include <os/limits.hpp>
#include <os/spin.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

// How deep a worker's queue of tiny tasks may be; the channel guarantees room for twice as many.
constexpr std::uint32_t prefetch_depth = 48;
// How long an idle worker looks for its next task before it sleeps: long enough for a thread that
// its reply wakes up to make the next call.
constexpr auto worker_spin = 40us;
// How long a waiting thread looks by itself: long enough for a sleeping worker to wake up and run a
// short call. If it were to give up sooner, both sides would go to sleep at every call. For calls
// that are long it is hardly worth it.
constexpr std::int64_t longest_spin_ns = 60'000;
constexpr std::int64_t shortest_spin_ns = 4'000;
// The reply to such a call is awaited by looking also where a thread has other things to do.
constexpr std::int64_t tiny_call_ns = 2'000;
constexpr auto memory_check_interval = 50ms;

worker_index count_of(const pool_options& options) {
    return options.workers != 0 ? options.workers : std::max(1U, cpu_count());
}

dispatcher_limits limits_of(const pool_options& options) {
    dispatcher_limits limits;
    limits.workers = count_of(options);
    limits.max_tasks_per_worker = options.max_tasks_per_worker;
    limits.max_worker_memory = options.max_worker_memory;
    limits.prefetch = prefetch_depth;
    limits.restarts = std::max(4U, 2 * limits.workers);
    return limits;
}

std::string who(const seat_ptr& seat) {
    return "worker " + seat->process().name() + " (pid " + std::to_string(seat->process().pid()) +
           ")";
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

} // namespace

/// The dispatcher's effects together with the seats they concern: bound under the lock of the
/// decision, so that a chunk can never reach a worker that has taken the place of the one it was
/// meant for.
struct process_backend::plan {
    struct parcel {
        seat_ptr seat;
        chunk what;
    };
    struct target {
        seat_ptr seat;
        std::uint64_t chunk_id;
    };
    std::vector<target> recall;
    std::vector<target> stop;
    std::vector<parcel> assign;
    std::vector<worker_index> start;
    std::vector<seat_ptr> retire;
    std::vector<work_ptr> finished;
    bool drained = false;
    bool timer = false;
    bool all_ended = false;

    void clear() noexcept {
        recall.clear();
        stop.clear();
        assign.clear();
        start.clear();
        retire.clear();
        finished.clear();
        drained = timer = all_ended = false;
    }
};

process_backend::process_backend(const pool_options& options)
    : backend{options},
      method_{options.start.value_or(get_start_method())},
      omp_threads_{std::max(1U, cpu_count() / count_of(options))},
      initializer_{options.initializer},
      max_worker_memory_{options.max_worker_memory},
      tag_output_{options.tag_output},
      dispatcher_{limits_of(options)},
      seats_(count_of(options)),
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
            launch_worker(index);
        } catch (...) {
            terminate();
            throw;
        }
    }
}

// --- deciding and carrying out ------------------------------------------------------------------------------------

/// Feeds the dispatcher one event under the lock, and does what follows from it. Returns what the
/// event returned.
template <class Event>
bool process_backend::decide(Event&& event, const listener& by) {
    // A thread keeps its lists, so that nothing is allocated for a task; a nested decision has
    // lists of its own.
    thread_local plan kept;
    thread_local bool in_use = false;
    plan own;
    plan& p = in_use ? own : kept;
    struct borrow {
        bool mine;
        borrow() noexcept : mine{!std::exchange(in_use, true)} {}
        ~borrow() {
            if (mine) in_use = false;
        }
    } const borrowed;

    bool answer = false;
    {
        const std::scoped_lock lock{mutex_};
        answer = event(dispatcher_, effects_);
        bind(p);
    }
    carry_out(p, by);
    p.clear();
    return answer;
}

void process_backend::bind(plan& p) {
    for (const auto& r : effects_.recall)
        p.recall.push_back({seats_[r.worker], r.chunk_id});
    for (const auto& s : effects_.stop)
        p.stop.push_back({seats_[s.worker], s.chunk_id});
    for (auto& a : effects_.assign)
        p.assign.push_back({seats_[a.worker], std::move(a.what)});
    for (const auto index : effects_.retire) {
        seats_[index]->retired = true;
        p.retire.push_back(std::move(seats_[index]));
        seats_[index] = nullptr;
    }
    p.start.swap(effects_.start);
    p.finished.swap(effects_.finished);
    p.drained = effects_.drained;
    effects_.clear();
    auto next = dispatcher_.next_deadline();
    if (max_worker_memory_ != 0 && dispatcher_.busy())
        next = std::min(next, steady::now() + memory_check_interval);
    if (next < timer_at_) {
        timer_at_ = next;
        p.timer = true;
    }
    if (dismissed_ && processes_.empty() && launching_ == 0 &&
        !std::exchange(joined_published_, true))
        p.all_ended = true;
}

void process_backend::carry_out(plan& p, const listener& by) {
    for (const auto& r : p.recall)
        if (r.seat) take_back(r.seat, r.chunk_id, false);
    for (const auto& s : p.stop)
        if (s.seat) take_back(s.seat, s.chunk_id, true);
    for (std::size_t i = 0; i < p.assign.size(); ++i) {
        const auto& [seat, what] = p.assign[i];
        if (!seat) continue;
        send(seat, what, by);
        if (i + 1 == p.assign.size() || p.assign[i + 1].seat != seat) seat->flush();
    }
    for (const auto& w : p.finished)
        w->finish(); // before workers are started, which takes a thousand times as long
    for (const auto index : p.start) {
        try {
            launch_worker(index);
        } catch (...) {
            notice n;
            decide([&, error = std::current_exception()](dispatcher&, effects& out) {
                n = start_failed(index, "a worker", error, false, out);
                return true;
            });
            say(n);
        }
    }
    for (const auto& seat : p.retire)
        seat->retire();
    if (p.drained) dismiss_all(false);
    if (p.timer) set_timer();
    if (p.all_ended) {
        joined_->complete();
        boost::asio::post(reactor(), [self = boost::intrusive_ptr<process_backend>{this}] {
            self->timer_.cancel();
        });
    }
}

void process_backend::launch_worker(worker_index index) {
    unsigned long number = 0;
    {
        const std::scoped_lock lock{mutex_};
        if (dismissed_) return;
        ++launching_;
        number = ++launched_;
    }
    launch_request request;
    request.method = method_;
    request.name = (name().empty() ? std::string{"pool"} : name()) + "-" + std::to_string(number);
    request.omp_threads = omp_threads_;
    request.spin = worker_spin;
    request.tag_output = tag_output_;
    seat_ptr seat;
    try {
        seat = std::make_shared<worker_seat>(this, index, launch(request), &initializer_);
    } catch (...) {
        decide([&](dispatcher&, effects&) {
            --launching_;
            return true;
        });
        throw;
    }
    bool unwanted = false;
    {
        const std::scoped_lock lock{mutex_};
        --launching_;
        processes_.insert(seat);
        unwanted = dismissed_;
        if (!unwanted) seats_[index] = seat;
    }
    if (unwanted) {
        seat->leave();
        seat->process().kill();
    }
    seat->watch();
}

void process_backend::send(const seat_ptr& seat, const chunk& c, const listener& by) {
    try {
        const bool heard = c.of.get() == by.to;
        const bool sent =
            seat->send(c, max_worker_memory_ != 0, heard && by.caller, heard ? by.loop : nullptr);
        if (!sent) give_back(seat, c.id);
    } catch (...) {
        refuse(seat, c, std::current_exception());
    }
}

/// The chunk could not be encoded. Which of its items is to blame is found by trying them one by
/// one.
void process_backend::refuse(const seat_ptr& seat, const chunk& c, std::exception_ptr error) {
    std::uint32_t culprit = 0;
    for (std::uint32_t i = 0; c.count > 1 && i < c.count; ++i) {
        chunk single = c;
        single.first = c.first + i;
        single.count = 1;
        try {
            sizer s;
            c.of->size(single, s);
            std::vector<std::byte> bytes(s.size());
            std::vector<int> descriptors;
            writer w{bytes, &descriptors};
            c.of->encode(single, w);
        } catch (...) {
            culprit = i;
            error = std::current_exception();
            break;
        }
    }
    auto told = local_failure(error, seat->where(*c.of, c.first + culprit));
    decide([&](dispatcher& d, effects& out) {
        d.refused(seat->index(), c.id, culprit, std::move(told), steady::now(), out);
        return true;
    });
}

/// A chunk that is wanted back (`insist`: or not wanted at all). What has not been started is
/// simply revoked; a worker that runs it is stopped only if that was insisted on.
void process_backend::take_back(const seat_ptr& seat, std::uint64_t chunk_id, bool insist) {
    for (;;) {
        switch (seat->revoke(chunk_id, insist)) {
        case worker_seat::revocation::revoked:
            give_back(seat, chunk_id);
            return;
        case worker_seat::revocation::unknown:
            return;
        case worker_seat::revocation::started:
            break;
        }
        if (!insist) return;
        // The worker runs it, is about to, or has replied. A worker that runs something later has
        // replied: look again.
        digest(seat, seat->listen(worker_seat::afterwards::nothing));
        if (const auto now = seat->running(); now && now->id != chunk_id && seat->has_news())
            continue;
        if (seat->revoke(chunk_id, false) != worker_seat::revocation::started) continue;
        loss what;
        what.deliberate = true;
        stop_seat(seat, std::move(what));
        return;
    }
}

void process_backend::give_back(const seat_ptr& seat, std::uint64_t chunk_id) {
    decide([&](dispatcher& d, effects& out) {
        if (seats_[seat->index()] == seat) d.returned(seat->index(), chunk_id, steady::now(), out);
        return true;
    });
}

/// Stops a worker together with what it runs; another takes its place at once.
void process_backend::stop_seat(const seat_ptr& seat, loss what) {
    digest(seat, seat->listen(worker_seat::afterwards::nothing)); // what is done is done
    if (what.chunk_id != 0) {
        const std::scoped_lock lock{mutex_};
        if (seats_[seat->index()] != seat || !dispatcher_.in_flight(seat->index(), what.chunk_id))
            return;
    }
    if (!seat->leave()) return;
    seat->process().kill();
    once_digested(seat, [this, seat, what = std::move(what)] {
        const bool replaced = decide([&](dispatcher& d, effects& out) {
            if (seats_[seat->index()] != seat) return false;
            seats_[seat->index()] = nullptr;
            d.lost(seat->index(), what, steady::now(), out);
            return true;
        });
        if (replaced)
            say({log_kind::worker_restarted,
                 who(seat) + " was stopped with its task (" +
                     (what.deliberate                        ? "which was cancelled"
                      : what.kind == failure_kind::timed_out ? "which ran out of time"
                                                             : "which took too much memory") +
                     "); another takes its place"});
    });
}

/// For a seat that has been left: another thread may have taken replies off its channel and be
/// about to report them. What was in flight is only lost when it was not among these. Whoever
/// reports the last of them goes on.
template <class F>
void process_backend::once_digested(const seat_ptr& seat, F&& then) {
    {
        const std::scoped_lock lock{mutex_};
        if (seat->undigested.load(std::memory_order_relaxed) != 0) {
            seat->when_digested = std::forward<F>(then);
            return;
        }
    }
    then();
}

// --- news from the workers ----------------------------------------------------------------------------------------

void process_backend::digest(const seat_ptr& seat, worker_news news) {
    if (news.empty() && !news.counted) return;
    const auto index = seat->index();
    const auto greeting_failed = news.handshake_now == handshake::state::failed;
    std::function<void()> digested;
    decide([&](dispatcher& d, effects& out) {
        if (news.counted && seat->undigested.fetch_sub(1, std::memory_order_relaxed) == 1)
            digested.swap(seat->when_digested);
        if (seats_[index] != seat && !seat->retired) return false;
        const auto now = steady::now();
        for (auto& c : news.done)
            if (seats_[index] == seat) {
                if (!c.what.of->many())
                    last_call_ns_.store(c.took.count(), std::memory_order_relaxed);
                d.done(index, c.what.id, std::move(c.outcome), c.took, c.rss, now, out);
            }
        if (news.handshake_now == handshake::state::ready) d.ready(index, now, out);
        return true;
    });
    if (digested) digested();
    if (greeting_failed || news.corrupt) {
        const bool hopeless = greeting_failed && !seat->greeting().initializer_failed();
        const auto running = seat->running();
        if (!seat->leave()) return;
        seat->process().kill();
        once_digested(seat, [this, seat, index, hopeless, running] {
            notice n;
            decide([&](dispatcher& d, effects& out) {
                if (seats_[index] != seat) return false;
                seats_[index] = nullptr;
                if (!seat->was_ready()) {
                    n = start_failed(index, who(seat), seat->greeting().error(), hopeless, out);
                    return true;
                }
                n.text = who(seat) + " wrote nonsense into its channel and was stopped; another "
                                     "takes its place";
                loss what;
                if (const auto* c = d.running(index)) {
                    what.chunk_id = c->id;
                    what.item =
                        running && running->id == c->id ? std::min(running->item, c->count - 1) : 0;
                    what.error =
                        lost_error(seat, *c->of, c->first + what.item, -SIGKILL,
                                   "a worker wrote nonsense into its channel and was stopped");
                }
                d.lost(index, what, steady::now(), out);
                return true;
            });
            say(n);
        });
    }
}

void process_backend::on_bell(const seat_ptr& seat) {
    hear_out(seat, worker_seat::afterwards::wait_for_bell);
}

void process_backend::on_loop(const seat_ptr& seat) {
    hear_out(seat, worker_seat::afterwards::wait_for_loop);
}

bool process_backend::calls_are_tiny() const noexcept {
    return last_call_ns_.load(std::memory_order_relaxed) < tiny_call_ns;
}

void process_backend::hear_out(const seat_ptr& seat, worker_seat::afterwards then) {
    for (;;) {
        auto news = seat->listen(then);
        if (news.empty()) return;
        digest(seat, std::move(news));
    }
}

void process_backend::on_no_hello(const seat_ptr& seat) {
    if (seat->greeting().now() != handshake::state::starting) return;
    seat->greeting().on_timeout();
    worker_news news;
    news.handshake_now = handshake::state::failed;
    digest(seat, std::move(news));
}

std::exception_ptr process_backend::lost_error(const seat_ptr& seat, const work& w,
                                               std::uint64_t item, int exit_code,
                                               const std::string& why) {
    auto info = seat->where(w, item);
    if (const auto crash = seat->process().crash()) info.backtrace = backtrace_data{crash->frames};
    return std::make_exception_ptr(
        why.empty() ? worker_lost_error{info, exit_code}
                    : worker_lost_error{std::move(info), exit_code, "coproc: " + why});
}

void process_backend::on_end(const seat_ptr& seat) {
    // What it said before it died counts.
    for (auto news = seat->listen(worker_seat::afterwards::nothing); !news.empty();
         news = seat->listen(worker_seat::afterwards::nothing)) {
        news.corrupt = false;
        const bool more = !news.done.empty() || news.handshake_now;
        digest(seat, std::move(news));
        if (!more) break;
    }
    const int exit_code = seat->process().reap(2s).value_or(-SIGKILL);
    if (seat->leave())
        once_digested(seat, [this, seat, exit_code, running = seat->running()] {
            bury(seat, exit_code, running);
        });
    seat->after_last_words([this, seat] { process_ended(seat); });
}

/// A worker has died in service.
void process_backend::bury(const seat_ptr& seat, int exit_code,
                           std::optional<running_call> running) {
    const auto index = seat->index();
    notice n;
    decide([&](dispatcher& d, effects& out) {
        if (seats_[index] != seat) return false;
        seats_[index] = nullptr;
        const auto now = steady::now();
        if (!seat->was_ready()) {
            seat->greeting().on_exit(exit_code);
            n = start_failed(index, who(seat), seat->greeting().error(), false, out);
            return true;
        }
        loss what;
        // Two threads that submit may have written their chunks in another order than that of the
        // decisions.
        if (const auto* c = running ? d.in_flight(index, running->id) : nullptr) {
            what.chunk_id = running->id;
            what.item = std::min(running->item, c->count - 1);
            what.error = lost_error(seat, *c->of, c->first + what.item, exit_code, {});
        }
        d.lost(index, what, now, out);
        n.text =
            who(seat) + " was lost (" +
            (exit_code < 0 ? signal_name(-exit_code) : "exit code " + std::to_string(exit_code)) +
            "); another takes its place";
        return true;
    });
    say(n);
}

/// A worker never got ready. Under the lock.
process_backend::notice process_backend::start_failed(worker_index index, const std::string& worker,
                                                      std::exception_ptr error, bool hopeless,
                                                      effects& out) {
    const bool was_broken = dispatcher_.broken() != nullptr;
    dispatcher_.start_failed(index, error, hopeless, steady::now(), out);
    if (was_broken || dismissed_) return {};
    if (dispatcher_.broken())
        return {log_kind::pool_broken,
                "pool \"" + name() +
                    "\" gives up: no worker can be started, and every task fails: " +
                    text_of(dispatcher_.broken())};
    return {log_kind::worker_restarted,
            worker + " could not be started, and is tried again: " + text_of(error)};
}

void process_backend::say(const notice& n) noexcept {
    if (!n.text.empty()) log(n.kind, n.text);
}

void process_backend::process_ended(const seat_ptr& seat) {
    decide([&](dispatcher&, effects&) {
        processes_.erase(seat);
        return true;
    });
}

// --- the backend's interface --------------------------------------------------------------------------------------

void process_backend::submit(work& w) {
    if (!w.remote())
        throw std::logic_error{
            "coproc: this work can only run on threads (it was made for a dummy pool)"};
    listener by{.to = &w, .caller = w.submitter_waits() && !on_reactor_thread()};
    if (!by.caller && !w.many()) by.loop = loop_bell::here();
    const bool accepted = decide(
        [&](dispatcher& d, effects& out) {
            if (!d.accepts()) return false;
            // Nothing of a plain call can run out of time: the clock is spared.
            d.submit(w, w.plain() ? steady::time_point{} : steady::now(), out);
            return true;
        },
        by);
    if (!accepted) throw pool_closed_error{};
    if (by.loop) by.loop->look_soon();
}

void process_backend::extend(work& w, std::uint64_t items, bool more_to_come) {
    decide([&](dispatcher& d, effects& out) {
        d.extend(w, items, more_to_come, steady::now(), out);
        return true;
    });
}

bool process_backend::cancel(work& w) {
    failure_info where;
    where.label = w.settings().label_text();
    const auto error =
        std::make_exception_ptr(failed<cancelled_error>{called_off(w), std::move(where)});
    return decide([&](dispatcher& d, effects& out) {
        return d.cancel(w, error, failure_kind::cancelled, out);
    });
}

void process_backend::help(work& w) noexcept {
    const auto hint = w.worker_hint();
    if (hint < 0 || on_reactor_thread()) return;
    seat_ptr seat;
    {
        const std::scoped_lock lock{mutex_};
        seat = seats_[static_cast<worker_index>(hint)];
    }
    if (!seat || !seat->was_ready()) return;
    const bool short_calls =
        w.many() || last_call_ns_.load(std::memory_order_relaxed) < longest_spin_ns;
    const auto until = os::monotonic_ns() +
                       static_cast<std::uint64_t>(short_calls ? longest_spin_ns : shortest_spin_ns);
    try {
        seat->disarm();
        do {
            for (int i = 0; i < 16 && !w.core().ready(); ++i) {
                if (seat->has_news()) break;
                os::pause();
            }
            digest(seat, seat->listen(worker_seat::afterwards::nothing));
        } while (!w.core().ready() && os::monotonic_ns() < until);
        hear_out(seat, worker_seat::afterwards::wait_for_what_is_due);
    } catch (const std::exception& e) {
        log(log_kind::other, e.what());
    }
}

void process_backend::close() {
    decide([&](dispatcher& d, effects& out) {
        d.close(out);
        return true;
    });
}

void process_backend::terminate() {
    const auto error = std::make_exception_ptr(cancelled_error{"coproc: the pool was terminated"});
    decide([&](dispatcher& d, effects& out) {
        terminated_ = true;
        d.terminate(error, out);
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
        d.end_streams([&](const work& w) { return w.consumer() == consumer; }, out);
        return true;
    });
}

bool process_backend::closed() const {
    const std::scoped_lock lock{mutex_};
    return !dispatcher_.accepts();
}

pool_stats process_backend::stats() {
    const std::scoped_lock lock{mutex_};
    return dispatcher_.stats();
}

// --- time ---------------------------------------------------------------------------------------------------------

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
            what.error =
                lost_error(seat, *c->of, c->first + what.item, -SIGKILL,
                           "the worker grew beyond twice max_worker_memory and was stopped");
            return true;
        });
        if (what.chunk_id != 0) stop_seat(seat, std::move(what));
    }
}

} // namespace coproc::detail
