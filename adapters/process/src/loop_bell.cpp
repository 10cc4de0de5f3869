// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/loop_bell.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/log.hpp>
#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/spin.hpp>
#include <src/fork_guard.hpp>
#include <src/worker_seat.hpp>

#include <boost/asio/post.hpp>
#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <mutex>
#include <system_error>
#include <utility>

namespace coproc::detail {

namespace {

// A reply that is near is waited for by looking, for not much longer than it takes to be told.
constexpr std::uint64_t look_ns = 4'000;

// So long what else is ready in the context waits for calls that follow one another, each made by
// the handler of the one before: it would cost them a look at all its descriptors each.
constexpr std::uint64_t turn_ns = 10'000;

/// Seats are heard without the lock.
auto copy_of(const std::vector<std::shared_ptr<worker_seat>>& seats, patient_mutex& mutex) {
    const std::scoped_lock lock{mutex};
    return boost::container::small_vector<std::shared_ptr<worker_seat>, 4>{seats.begin(),
                                                                           seats.end()};
}

} // namespace

/// A handler of the bell's, which calls the handler that has its result. The calls that this one
/// makes are looked for by the same turn.
class loop_bell::turn {
public:
    explicit turn(loop_bell& bell) noexcept : bell_{bell}, outer_{std::exchange(innermost, this)} {}
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn() {
        innermost = outer_;
        if (!asked_) return;
        try {
            bell_.post_look();
        } catch (const std::bad_alloc&) { // a worker that nobody listens to tells the reactor
        }
    }

    /// False: the calling thread is not in a turn of this bell, or has asked already: perhaps its
    /// handler runs the context itself, and the turn cannot go on before that has ended.
    static bool ask(const loop_bell& bell) noexcept {
        return innermost != nullptr && &innermost->bell_ == &bell &&
               !std::exchange(innermost->asked_, true);
    }

    /// It was asked once more, and nothing speaks against it: other things have waited for long, or
    /// the handler has stopped the context, or forked.
    bool goes_on() noexcept {
        if (!asked_ || bell_.context_.stopped() || bell_.generation_ != count_forks() || !in_time())
            return false;
        asked_ = false;
        return true;
    }

private:
    bool in_time() noexcept {
        const auto now = os::monotonic_ns();
        if (until_ == 0) until_ = now + turn_ns;
        return now < until_;
    }

    static thread_local turn* innermost;

    loop_bell& bell_;
    turn* const outer_;
    std::uint64_t until_ = 0;
    bool asked_ = false;
};

thread_local loop_bell::turn* loop_bell::turn::innermost = nullptr;

loop_bell::loop_bell(boost::asio::io_context& context)
    : context_{context}, generation_{count_forks()}, bell_{os::make_eventfd()} {
    auto duplicate = bell_.duplicate();
    watch_.emplace(context, duplicate.get());
    static_cast<void>(duplicate.release());
    keep_private(bell_.get());
    keep_private(watch_->native_handle());
}

loop_bell::~loop_bell() { no_longer_private(bell_.get()); }

std::shared_ptr<loop_bell> loop_bell::here() {
    auto* const loop = event_loop::recent();
    auto* const context = loop != nullptr ? loop->running_here() : nullptr;
    if (context == nullptr) return nullptr;
    try {
        return std::static_pointer_cast<loop_bell>(
            loop->annex([&] { return std::make_shared<loop_bell>(*context); }));
    } catch (const std::system_error&) {
        return nullptr; // the reactor's bell will do
    }
}

void loop_bell::add(std::shared_ptr<worker_seat> seat) {
    const std::scoped_lock lock{mutex_};
    seats_.push_back(std::move(seat));
}

void loop_bell::remove(const worker_seat& seat) noexcept {
    std::shared_ptr<worker_seat> dropped; // not the last: the caller works with it
    const std::scoped_lock lock{mutex_};
    const auto at = std::ranges::find(seats_, &seat, [](const auto& s) { return s.get(); });
    if (at == seats_.end()) return;
    dropped = std::move(*at);
    *at = std::move(seats_.back());
    seats_.pop_back();
}

void loop_bell::look_soon() {
    if (!turn::ask(*this)) post_look();
}

void loop_bell::post_look() {
    if (!look_due_.exchange(true))
        boost::asio::post(context_, [self = shared_from_this()] { self->look(); });
}

void loop_bell::look() {
    look_due_.store(false);
    // In the child of a fork, which has what its parent had posted: these replies are not its own
    // to take, and threads that are not there may hold the locks.
    if (generation_ != count_forks()) return;
    take_turn([this] { hear_near(); });
}

/// `first` hears, on a thread that runs the context, in a handler.
template <class Hear>
void loop_bell::take_turn(Hear first) {
    turn here{*this};
    const auto call_after = [&](auto hear) {
        loop_visit visit{context_};
        hear();
        visit.call();
        return visit.may_go_on();
    };
    bool more = call_after(first);
    while (more && here.goes_on())
        more = call_after([this] { hear_near(); });
}

void loop_bell::hear_near() {
    const auto near = [](const auto& s) { return s->reply_is_near(); };
    const auto has_news = [](const auto& s) { return s->has_news(); };
    if (const auto seats = copy_of(seats_, mutex_); std::ranges::any_of(seats, near))
        os::spin_for(look_ns, [&] { return std::ranges::any_of(seats, has_news); });
    hear();
}

/// Each of these on a thread that runs the context, in a handler.
void loop_bell::hear() {
    quiet();
    if (take(true)) wait();
}

/// True: something is still in flight that is left to this loop.
bool loop_bell::take(bool arm) {
    for (const auto& s : copy_of(seats_, mutex_)) {
        try {
            s->hear_for_loop(arm);
        } catch (const std::exception& e) { // not the program's: it did not ask for this
            log(log_kind::other, e.what());
        }
    }
    const std::scoped_lock lock{mutex_};
    return !seats_.empty();
}

/// Before all seats are heard, and never between that and the wait: with the bell would go what it
/// says.
void loop_bell::quiet() noexcept {
    if (rung_.load() && rung_.exchange(false)) os::quiet(bell_.get());
}

/// The wait itself shall not keep the context running: each handler that waits for a result does
/// so. Its work is taken back while the handler that runs has some, so that the context does not
/// take that for the end.
void loop_bell::wait() {
    if (waiting_.exchange(true)) return;
    watch_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code ec) {
                           self->context_.get_executor().on_work_started();
                           if (!ec) self->on_bell();
                       });
    context_.get_executor().on_work_finished();
}

void loop_bell::on_bell() {
    if (generation_ != count_forks()) return; // the parent's: what it says is not ours to take
    // The bell is read when it is waited for once more, which is mostly after the next call: the
    // handler that waits for this reply need not wait for that, too.
    rung_.store(true);
    waiting_.store(false);
    take_turn([this] {
        if (take(false)) hear();
    });
}

void loop_bell::torn_down() noexcept {
    std::vector<std::shared_ptr<worker_seat>> dropped;
    {
        const std::scoped_lock lock{mutex_};
        dropped.swap(seats_);
    }
    no_longer_private(watch_->native_handle());
    watch_.reset();
}

} // namespace coproc::detail
