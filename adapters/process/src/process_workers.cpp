// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The lives of the workers: launched, ready or not, stopped, lost, buried.

#include <coproc/log.hpp>
#include <src/process_plan.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <csignal>

namespace coproc::detail {

namespace {

using namespace std::chrono_literals;

// How long an idle worker looks for its next task before it sleeps: long enough for a thread that
// its reply wakes up to make the next call.
constexpr auto worker_spin = 40us;

std::string who(const seat_ptr& seat) {
    return "worker " + seat->process().name() + " (pid " + std::to_string(seat->process().pid()) +
           ")";
}

std::string at_what(const failure_info& task, bool many) {
    std::string text =
        task.label.empty() ? "while it ran the task" : "while it ran task \"" + task.label + '"';
    if (many) text += ", item " + std::to_string(task.index);
    return text;
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

/// Whoever is here has other things to do than to wait for the start of a program.
void process_backend::replace_worker(worker_index index) {
    if (const seat_ptr seat = give_place_to_spare(index)) {
        seat->greet();
        return;
    }
    bool later = false;
    try {
        launch_later([self = boost::intrusive_ptr<process_backend>{this}, index] {
            self->launch_worker(index);
        });
        later = true;
    } catch (const std::exception&) { // no memory for the list of what is to be done
    }
    if (!later) launch_worker(index);
}

void process_backend::launch_worker(worker_index index) {
    try {
        seat_ptr seat = give_place_to_spare(index); // one that has been started meanwhile
        if (!seat) seat = launch_seat(index);
        if (seat) seat->greet();
    } catch (...) {
        notice n;
        decide([&, error = std::current_exception()](dispatcher&, effects& out) {
            n = start_failed(index, "a worker", error, false, out);
            return true;
        });
        say(n);
    }
}

/// Starts a process for the place, or a spare. Null: it is not wanted (any more).
seat_ptr process_backend::launch_seat(std::optional<worker_index> place) {
    unsigned long number = 0;
    {
        const std::scoped_lock lock{mutex_};
        if (dismissed_ || (!place && spares_.size() >= spares_to_hold())) return nullptr;
        ++launching_;
        number = ++launched_;
    }
    launch_request request;
    request.method = method_;
    request.name = (name().empty() ? std::string{"pool"} : name()) + "-" + std::to_string(number);
    request.omp_threads = omp_threads_;
    request.spin = worker_spin;
    request.tag_output = tag_output_;
    if (place && placement_.binds()) {
        request.cpus = placement_.cpus_of(*place);
        request.omp_threads = std::min(request.omp_threads, placement_.share_of(*place));
    }
    seat_ptr seat;
    try {
        seat = std::make_shared<worker_seat>(this, launch(request), &initializer_);
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
        if (!unwanted && place) {
            seat->take_place(*place);
            seats_[*place] = seat;
        } else if (!unwanted) {
            try {
                spares_.push_back(seat);
            } catch (const std::exception&) { // nobody would find it
                unwanted = true;
            }
        }
    }
    if (unwanted) {
        seat->leave();
        seat->process().kill();
    }
    seat->watch_end();
    return unwanted ? nullptr : seat;
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

/// A worker that could not make itself ready, or has written what makes no sense.
void process_backend::dismiss_faulty(const seat_ptr& seat, bool greeting_failed) {
    const bool hopeless = greeting_failed && !seat->greeting().initializer_failed();
    const auto running = seat->running();
    if (!seat->leave()) return;
    seat->process().kill();
    once_digested(seat, [this, seat, hopeless, running] {
        const auto index = seat->index();
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
                what.error = lost_error(seat, *c->of, c->first + what.item, -SIGKILL,
                                        "wrote nonsense into its channel and was stopped");
            }
            d.lost(index, what, steady::now(), out);
            return true;
        });
        say(n);
    });
}

void process_backend::on_no_hello(const seat_ptr& seat) {
    if (seat->greeting().now() != handshake::state::starting) return;
    seat->greeting().on_timeout();
    worker_news news;
    news.handshake_now = handshake::state::failed;
    digest(seat, std::move(news));
}

void process_backend::on_end(const seat_ptr& seat) {
    const bool served = !drop_spare(seat);
    // What it said before it died counts.
    for (bool more = served; more;) {
        auto news = seat->listen(worker_seat::afterwards::nothing);
        news.corrupt = false;
        more = !news.empty();
        digest(seat, std::move(news));
    }
    const int exit_code = seat->process().reap(2s).value_or(-SIGKILL);
    if (seat->leave() && served)
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
            if (seat->was_spare) {
                // It may have ended with the one before it, by the same hand: that is no failure to
                // start. As often as there are spares, which become no more until one is ready.
                out.start.push_back(index);
                n.text = who(seat) + " ended before it was ready; another takes its place";
                return true;
            }
            seat->greeting().on_exit(exit_code);
            n = start_failed(index, who(seat), seat->greeting().error(), false, out);
            return true;
        }
        loss what;
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

std::exception_ptr process_backend::lost_error(const seat_ptr& seat, const work& w,
                                               std::uint64_t item, int exit_code,
                                               const std::string& why) {
    auto info = seat->where(w, item);
    if (const auto crash = seat->process().crash()) info.backtrace = backtrace_data{crash->frames};
    return std::make_exception_ptr(why.empty()
                                       ? worker_lost_error{info, exit_code}
                                       : worker_lost_error{info, exit_code,
                                                           "coproc: " + who(seat) + ' ' + why +
                                                               ' ' + at_what(info, w.many())});
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
    {
        const std::scoped_lock lock{mutex_};
        if (processes_.erase(seat) == 0) return;
        ++leaving_;
    }
    // What the reactor still has under way for the seat comes before this, and holds it: whoever
    // waited for the end of the pool finds its descriptors closed.
    boost::asio::post(reactor(), [self = boost::intrusive_ptr<process_backend>{this}] {
        self->decide([&](dispatcher&, effects&) {
            --self->leaving_;
            return true;
        });
    });
}

} // namespace coproc::detail
