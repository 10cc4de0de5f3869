// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <dummy_backend.hpp>

#include <coproc/cpu_count.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/detail/library_threads.hpp>
#include <coproc/error.hpp>
#include <coproc/log.hpp>

#include <algorithm>
#include <dummy_errands.hpp>
#include <spin.hpp>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

// How long a join waits for tasks that were asked to stop.
constexpr auto patience = 2s;
constexpr auto help_spin = 20us;
constexpr unsigned put_in_order_every = 64;

dispatcher_limits limits_from(const pool_options& options) {
    dispatcher_limits limits;
    limits.workers = options.workers != 0 ? options.workers : cpu_count();
    limits.max_tasks_per_worker = options.max_tasks_per_worker;
    return limits; // memory belongs to the process, a new thread would not have less of it
}

/// Of an item whose thread is given up.
std::exception_ptr past_its_timeout(const work& w, std::uint64_t item, const std::string& worker) {
    failure_info where;
    where.index = w.many() ? item : 0;
    where.label = w.settings().label_text();
    where.worker_pid = getpid();
    where.worker_name = worker;
    return std::make_exception_ptr(failed<timeout_error>{
        out_of_time(timeout_kind::running, w, item, false), std::move(where)});
}

job require_enough_runs(const job& initializer, const dispatcher_limits& limits) {
    if (initializer && !initializer.state()->repeatable() &&
        (limits.workers > 1 || limits.max_tasks_per_worker != 0))
        throw std::invalid_argument{
            "coproc: the initializer can run only once, since its function or an argument can be "
            "neither copied nor encoded; this pool runs it in every worker (workers: 1, without "
            "max_tasks_per_worker, is possible, or what std::ref refers to)"};
    return initializer;
}

} // namespace

dummy_backend::dummy_backend(const pool_options& options)
    : dummy_backend{options, limits_from(options)} {}

dummy_backend::dummy_backend(const pool_options& options, const dispatcher_limits& limits)
    : backend{options},
      initializer_{require_enough_runs(options.initializer, limits)},
      placement_{place_workers(options.affinity, limits.workers)},
      dispatcher_{limits},
      in_runs_{limits.max_tasks_per_worker == 0},
      slots_(limits.workers),
      most_spinning_{known_cpu_count() / 2} {
    pthread_sigmask(SIG_SETMASK, nullptr, &signal_mask_);
}

// --- the pool's side ------------------------------------------------------------------------------

void dummy_backend::start() {
    timer_service::instance().start();               // if that fails it had better be now
    if (placement_.binds()) start_library_threads(); // before a worker needs one
    decide([&](errands&) { dispatcher_.start(effects_); });
}

void dummy_backend::submit(work& w) {
    if (w.plain()) {
        const auto answer = inbox_.leave(w);
        // The first one is seen to by who left it (after leave(): see work_inbox), those behind it
        // as well. Now and then they are put in order by their submitter, in whose cache they are.
        thread_local unsigned left = 0;
        if (answer == work_inbox::answer::first ? deaf_.load(std::memory_order_seq_cst)
                                                : ++left % put_in_order_every == 0)
            decide([](errands&) {});
        if (answer != work_inbox::answer::shut) return;
    }
    decide([&](errands& later) {
        if (!dispatcher_.accepts()) throw pool_closed_error{};
        flush(later);
        // The time matters only if one can run out: the clock costs as much as the rest.
        const bool timed =
            w.settings().timeout.count() > 0 || w.settings().queue_timeout.count() > 0;
        dispatcher_.submit(w, timed ? steady::now() : steady::time_point{}, effects_);
    });
}

void dummy_backend::extend(work& w, std::uint64_t items, bool more_to_come) {
    decide([&](errands& later) {
        flush(later);
        dispatcher_.extend(w, items, more_to_come, steady::now(), effects_);
    });
}

bool dummy_backend::cancel(work& w) {
    if (w.core().ready()) return false;
    bool cancelled = false;
    decide([&](errands& later) {
        flush(later);
        if (w.undispatched()) return; // its result is about to be published
        cancelled = dispatcher_.cancel(w, called_off(w), failure_kind::cancelled, effects_);
    });
    return cancelled;
}

void dummy_backend::help(work& w) noexcept {
    // Spinning is for short tasks that run already. Whether they are short shows: a few spins in
    // vain, and the next ones are left out.
    constexpr int most = 8;
    constexpr int rest = -64;
    if (w.worker_hint() < 0 && !w.plain()) return; // behind others
    const int pays = help_pays_.load(std::memory_order_relaxed);
    if (pays < 0) {
        help_pays_.store(pays + 1, std::memory_order_relaxed);
        if (w.worker_hint() < 0) nudge();
        return;
    }
    const bool paid = spin_for(help_spin, [&] { return w.core().ready(); });
    if (!paid && w.worker_hint() < 0) nudge();
    help_pays_.store(paid ? std::min(pays + 1, most) : (pays == 0 ? rest : pays - 1),
                     std::memory_order_relaxed);
}

void dummy_backend::close() {
    decide([&](errands& later) {
        inbox_.shut();
        flush(later);
        dispatcher_.close(effects_);
    });
}

void dummy_backend::terminate() {
    decide([&](errands& later) {
        inbox_.shut();
        flush(later);
        dispatcher_.terminate(terminated_error(), effects_);
        // An initializer is not waited for either.
        for (auto& each : slots_)
            if (each.thread && !each.thread->ready) {
                give_up(each.thread);
                later.stop.push_back(std::exchange(each.thread, nullptr));
            }
    });
}

void dummy_backend::abandon_streams_of(std::thread::id consumer) {
    decide([&](errands&) {
        dispatcher_.end_streams([&](const work& w) { return w.consumer() == consumer; },
                                read_no_further, effects_);
    });
}

bool dummy_backend::closed() const {
    const std::scoped_lock lock{mutex_};
    return !dispatcher_.accepts();
}

pool_stats dummy_backend::stats() {
    pool_stats now;
    // Each has its place then, as if there were no inbox.
    decide([&](errands& later) {
        flush(later);
        now = dispatcher_.stats();
    });
    return now;
}

bool dummy_backend::on_worker_thread() const noexcept {
    const auto* thread = worker_thread::current();
    return thread != nullptr && thread->is_of(*this);
}

// --- the threads' side ----------------------------------------------------------------------------

bool dummy_backend::ready(worker_thread& who) {
    bool spin = false;
    decide([&](errands& later) {
        if (slots_[who.slot()].thread.get() == &who) {
            who.ready = true;
            dispatcher_.ready(who.slot(), steady::now(), effects_);
            carry_out(later);
            feed(later);
            spin = may_spin(who.slot());
        } else {
            who.quit();
        }
    });
    return spin;
}

void dummy_backend::not_ready(worker_thread& who, std::exception_ptr error) {
    std::exception_ptr broken;
    decide([&](errands&) {
        auto& mine = slots_[who.slot()];
        if (mine.thread.get() != &who) return;
        mine.thread = nullptr;
        const bool was_broken = dispatcher_.broken() != nullptr;
        dispatcher_.start_failed(who.slot(), std::move(error), false, steady::now(), effects_);
        if (!was_broken) broken = dispatcher_.broken();
    });
    if (broken)
        log(log_kind::pool_broken,
            "pool \"" + name() + "\" gives up: no worker can be started, and every task fails:\n" +
                format_exception(broken));
}

void dummy_backend::not_launched(worker_thread& who, const std::system_error& error) {
    decide([&](errands&) {
        if (!who.given_up()) --threads_;
        std::erase(given_up_, thread_ptr{&who});
    });
    not_ready(who, std::make_exception_ptr(bootstrap_error{
                       "coproc: cannot start worker thread \"" + who.name() +
                       "\" (is there a limit on threads or memory?): " + error.what()}));
}

/// A thread has ended what it had. `book(index)` tells the dispatcher.
template <class Book>
bool dummy_backend::work_ended(worker_thread& who, Book&& book) {
    bool spin = false;
    decide([&](errands& later) {
        const auto index = who.slot();
        if (slots_[index].thread.get() != &who) {
            who.quit(); // given up while it ran
            return;
        }
        if (dispatcher_.any_waiting()) flush(later); // the dispatcher knows who is first
        set_ear(index, ear::none);
        std::forward<Book>(book)(index);
        carry_out(later);
        if (dispatcher_.is_idle(index)) set_ear(index, ear::spinning);
        feed(later);
        spin = may_spin(index);
    });
    return spin;
}

bool dummy_backend::done(worker_thread& who, std::uint64_t chunk_id, chunk_outcome outcome,
                         std::chrono::nanoseconds took, steady::time_point now) {
    return work_ended(who, [&](worker_index index) {
        if (chunk_id == 0) {
            recall_run(index);
            chunk_id = dispatcher_.running(index)->id;
        }
        if (const auto* c = dispatcher_.in_flight(index, chunk_id);
            c != nullptr && took.count() != 0 && c->of->plain())
            measure(took);
        dispatcher_.done(index, chunk_id, std::move(outcome), took, 0, now, effects_);
    });
}

bool dummy_backend::run_ended(worker_thread& who, std::chrono::nanoseconds each,
                              steady::time_point now) {
    return work_ended(who, [&](worker_index index) {
        recall_run(index); // nothing is left of it, but what it has done counts now
        if (each.count() != 0) measure(each);
        dispatcher_.release(index, now, effects_);
    });
}

bool dummy_backend::look(worker_thread& who) {
    bool spin = false;
    decide([&](errands& later) {
        if (slots_[who.slot()].thread.get() != &who) return;
        dispatcher_.reorder_idle(who.slot(), 0);
        feed(later);
        spin = may_spin(who.slot());
    });
    return spin;
}

void dummy_backend::rest(worker_thread& who) {
    decide([&](errands&) {
        if (slots_[who.slot()].thread.get() == &who && dispatcher_.is_idle(who.slot()))
            set_ear(who.slot(), ear::none);
    });
}

void dummy_backend::ended(worker_thread& who) {
    // Each one waits for the one that ended before, and the pool's end waits for the last: so all
    // are really gone then, thread_local objects included.
    thread_ptr former;
    errands later;
    {
        const std::scoped_lock lock{mutex_};
        if (slots_[who.slot()].thread.get() == &who) {
            set_ear(who.slot(), ear::none);
            slots_[who.slot()].thread = nullptr;
        }
        if (!who.given_up()) --threads_;
        std::erase(given_up_, thread_ptr{&who});
        if (joined_published_)
            pthread_detach(pthread_self());
        else
            former = std::exchange(last_ended_, thread_ptr{&who});
        check_joined(later);
    }
    if (former) former->join();
    later.run(*this);
}

// --- effects --------------------------------------------------------------------------------------

void dummy_backend::carry_out(errands& later) {
    for (;;) {
        hand_out(later);
        for (const auto index : effects_.retire) {
            set_ear(index, ear::none);
            dismiss(slots_[index].thread, later);
            slots_[index].thread = nullptr;
        }
        effects_.retire.clear();
        for (const auto index : effects_.start) {
            auto& s = slots_[index];
            s.thread =
                new worker_thread{this, index, ++launched_, std::exchange(s.given_up, nullptr)};
            ++threads_;
            later.launch.push_back(s.thread);
        }
        effects_.start.clear();
        if (effects_.stop.empty()) break;
        for (const auto& which : std::exchange(effects_.stop, {}))
            stop(which, later);
    }
    for (auto& each : effects_.finished)
        later.finished.push_back(std::move(each));
    effects_.finished.clear();
    for (auto& each : effects_.left)
        later.left.push_back(std::move(each));
    effects_.left.clear();
    if (std::exchange(effects_.drained, false)) {
        drained_ = true;
        for (const auto& each : slots_)
            dismiss(each.thread, later);
    }
    check_joined(later);
    set_timer();
}

void dummy_backend::dismiss(const thread_ptr& who, errands& later) {
    if (who && who->quit()) later.wake.push_back(who);
}

/// A chunk that nobody wants any more: taken out of the mailbox, or its thread is given up.
void dummy_backend::stop(const effects::target& which, errands& later) {
    auto& s = slots_[which.worker];
    if (const chunk unread = s.thread->take_back(); unread.of) {
        dispatcher_.returned(which.worker, which.chunk_id, steady::now(), effects_);
        return;
    }
    later.stop.push_back(s.thread);
    replace(which.worker, loss{});
}

void dummy_backend::replace(worker_index index, const loss& why) {
    give_up(slots_[index].thread);
    set_ear(index, ear::none);
    slots_[index].thread = nullptr;
    dispatcher_.lost(index, why, steady::now(), effects_);
}

void dummy_backend::give_up(const thread_ptr& who) {
    who->give_up();
    who->given_up_at = steady::now();
    --threads_;
    // A task that ends its own pool cannot be waited for: it may be about to join.
    if (who.get() != worker_thread::current()) given_up_.push_back(who);
}

// --- time -----------------------------------------------------------------------------------------

void dummy_backend::set_timer() {
    auto at = std::min(dispatcher_.next_deadline(), look_after_at_);
    if (drained_ && !joined_published_ && threads_ == 0) at = std::min(at, last_patience());
    if (at >= timer_at_) return;
    auto& timers = timer_service::instance();
    if (timer_) timers.cancel(*timer_);
    timer_ = timers.call_at(at, [self = boost::intrusive_ptr{this}] { self->on_timer(); });
    timer_at_ = at;
}

void dummy_backend::on_timer() {
    decide([&](errands& later) {
        const auto now = steady::now();
        if (timer_at_ <= now) {
            timer_at_ = steady::time_point::max();
            timer_.reset();
        }
        dispatcher_.expire(now, effects_);
        look_after_short_calls(now);
        carry_out(later);
        while (const auto target = dispatcher_.overdue(now))
            time_out(target->worker, now, later);
    });
}

void dummy_backend::time_out(worker_index index, steady::time_point now, errands& later) {
    auto& s = slots_[index];
    const auto item = s.thread->current_item();
    if (!dispatcher_.check_overdue(index, item ? std::optional{item->began} : std::nullopt, now))
        return;
    const chunk late = *dispatcher_.running(index);
    loss what;
    what.chunk_id = late.id;
    what.item = what.done = item->index;
    what.error = past_its_timeout(*late.of, late.first + item->index, s.thread->name());
    what.kind = failure_kind::timed_out;
    what.may_retry = false;
    s.given_up = s.thread;
    replace(index, what);
    carry_out(later);
    if (s.given_up) // no new thread came
        later.stop.push_back(std::exchange(s.given_up, nullptr));
}

// --- the end --------------------------------------------------------------------------------------

/// When the tasks that were asked to stop have had their time.
steady::time_point dummy_backend::last_patience() const noexcept {
    auto last = steady::time_point::min();
    for (const auto& each : given_up_)
        last = std::max(last, each->given_up_at + patience);
    return given_up_.empty() ? steady::time_point::max() : last;
}

void dummy_backend::check_joined(errands& later) {
    if (!drained_ || joined_published_ || threads_ != 0) return;
    if (!given_up_.empty() && steady::now() < last_patience()) {
        set_timer();
        return;
    }
    joined_published_ = true;
    later.publish_joined = true;
    if (timer_) timer_service::instance().cancel(*timer_);
}

void dummy_backend::publish_joined() {
    thread_ptr last;
    std::size_t left_behind = 0;
    {
        const std::scoped_lock lock{mutex_};
        last = std::exchange(last_ended_, nullptr);
        left_behind = given_up_.size();
    }
    if (last) last->join();
    if (left_behind != 0)
        log(log_kind::other, "pool \"" + name() + "\": " + std::to_string(left_behind) +
                                 " task(s) did not stop when asked to; left to themselves");
    joined_->emplace();
    joined_->complete();
}

backend_ptr make_dummy_backend(const pool_options& options) {
    const boost::intrusive_ptr<dummy_backend> made{new dummy_backend{options}};
    made->start();
    return made;
}

} // namespace coproc::detail
