// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/worker_seat.hpp>

#include <coproc/detail/callback_batch.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/thread_own.hpp>
#include <os/eventfd.hpp>
#include <os/pidfd.hpp>
#include <src/call_preamble.hpp>
#include <src/process_backend.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <vector>

namespace coproc::detail {

namespace {

// So much is taken off the channel before the news is passed on: a worker must not wait for its
// next task while a long list of replies is read.
constexpr std::size_t news_limit = 64;
constexpr std::size_t unwanted_limit = 256;

// So long after the last large payload its memory is given back to the system: it would be needed
// again at once while they keep coming.
constexpr std::chrono::seconds quiet_time{1};

// Nobody shall wait for the seat for as long as it takes to write more than this.
constexpr std::size_t most_at_a_time = 64 * 1024;

} // namespace

[[gnu::hot]] std::vector<worker_news::completed>* worker_news::spare() noexcept {
    return thread_own<std::vector<completed>>();
}

[[gnu::hot]] worker_news::worker_news() noexcept {
    if (auto* const kept = spare()) done.swap(*kept);
}

[[gnu::hot]] worker_news::~worker_news() {
    done.clear();
    auto* const kept = spare();
    if (kept != nullptr && done.capacity() > kept->capacity()) done.swap(*kept);
}

worker_seat::worker_seat(boost::intrusive_ptr<process_backend> pool,
                         std::unique_ptr<worker_process> process, const job* initializer)
    : pool_{std::move(pool)},
      process_{std::move(process)},
      handshake_{process_->channel(), initializer, process_->name(), process_->pid()},
      bell_{reactor()},
      end_{reactor()},
      greeting_time_{reactor()},
      patience_{reactor()},
      quiet_{reactor()},
      loan_time_{reactor()} {}

worker_seat::~worker_seat() {
    // The descriptors belong to the process handle; Asio only watched them.
    if (bell_.is_open()) bell_.release();
    if (end_.is_open()) end_.release();
}

void worker_seat::watch_end() {
    boost::asio::post(reactor(), [self = shared_from_this()] {
        self->end_.assign(self->process_->pidfd());
        self->wait_for_end();
    });
}

void worker_seat::wait_for_end() {
    end_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](boost::system::error_code ec) {
                        if (ec) return;
                        if (!os::has_ended(self->process_->pidfd())) return self->wait_for_end();
                        self->over_ = true;
                        boost::system::error_code ignored;
                        static_cast<void>(self->bell_.cancel(ignored));
                        self->greeting_time_.cancel();
                        self->patience_.cancel();
                        self->pool_->on_end(self);
                    });
}

void worker_seat::greet() {
    boost::asio::post(reactor(), [self = shared_from_this()] {
        if (self->over_) return;
        self->bell_.assign(self->process_->doorbell());
        self->greeting_time_.expires_after(handshake::hello_timeout);
        self->greeting_time_.async_wait([self](boost::system::error_code ec) {
            if (!ec) self->pool_->on_no_hello(self);
        });
        self->wait_for_bell();
        self->pool_->on_bell(self); // arms it, and hears what was said before
    });
}

void worker_seat::wait_for_bell() {
    bell_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code ec) {
                         // The bell may have rung in the same moment: it is not cancelled then.
                         if (ec || self->over_) return;
                         os::quiet(self->process_->doorbell());
                         self->wait_for_bell();
                         self->pool_->on_bell(self);
                     });
}

[[gnu::hot]] void worker_seat::teach() {
    const auto known = exception_registry::size();
    if (known == learned_) return;
    sizer s;
    exception_registry::size(s, learned_);
    process_->channel().send(message_kind::learn, 0, 0, s.size(),
                             [&](writer& w) { exception_registry::encode(w, learned_); });
    learned_ = known;
}

/// Leaves the replies to a loop, if nothing is in flight for anybody else.
bool worker_seat::leave_to(const std::shared_ptr<loop_bell>& loop) {
    if (loop_ == loop) return true;
    if (!flights_.empty()) return false;
    leave_loop();
    // A slot of its own, or one whose loop is gone.
    auto at = std::ranges::find_if(loops_, [&](const auto& l) { return l.lock() == loop; });
    if (at == loops_.end()) {
        at = std::ranges::find_if(loops_, [](const auto& l) { return l.expired(); });
        if (at == loops_.end()) {
            if (loops_.size() == most_loops) return false;
            at = loops_.emplace(at);
        }
        at->reset();
        const auto slot = static_cast<std::uint32_t>(at - loops_.begin());
        try {
            process_->channel().introduce_bell(slot, loop->descriptor());
        } catch (const std::exception&) {
            return false; // no room, or too many descriptors under way
        }
        *at = loop;
    }
    loop->add(shared_from_this());
    loop_ = loop;
    loop_slot_ = static_cast<std::uint32_t>(at - loops_.begin());
    return true;
}

[[gnu::hot]] void worker_seat::leave_loop() noexcept {
    if (loop_) loop_->remove(*this);
    loop_.reset();
}

void worker_seat::arm_reactor() {
    unheard_ = false;
    loan_->lent.store(false, std::memory_order_relaxed);
    leave_loop();
    if (process_->channel().arm()) os::ring(process_->doorbell());
}

[[gnu::hot]] void worker_seat::post(chunk what) noexcept { outbox_.put(std::move(what)); }

[[gnu::hot]] std::optional<worker_seat::unsent> worker_seat::send(bool want_rss,
                                                                  const listener& by) {
    std::optional<unsent> failed;
    for (bool more = true; more && !failed;)
        failed = send_some(want_rss, by, more);
    return failed;
}

[[gnu::hot]] std::optional<chunk> worker_seat::next_to_send() noexcept {
    if (unsent_.empty()) return outbox_.take();
    std::optional<chunk> next{std::move(unsent_.front())};
    unsent_.pop_front();
    keeps_unsent_.store(!unsent_.empty(), std::memory_order_relaxed);
    return next;
}

/// All that is to be sent, with this in front: so that it can be revoked while it is kept.
void worker_seat::keep_unsent(chunk what) {
    unsent_.push_front(std::move(what));
    while (auto next = outbox_.take())
        unsent_.push_back(std::move(*next));
    keeps_unsent_.store(true, std::memory_order_relaxed);
}

[[gnu::hot]] std::optional<worker_seat::unsent>
worker_seat::send_some(bool want_rss, const listener& by, bool& more) {
    // Behind the lock: the one that is woken may take the CPU from us at once.
    struct waking {
        endpoint& channel;
        bool due = false;
        ~waking() {
            if (due) channel.wake();
        }
    } wake{process_->channel()};
    std::vector<chunk> dropped; // released outside the lock
    const std::scoped_lock lock{mutex_};
    more = false;
    if (unsent_.empty() && outbox_.empty()) return {}; // another thread has sent it
    if (left_) {
        while (auto next = next_to_send())
            dropped.push_back(std::move(*next));
        return {};
    }
    struct flushing {
        waking& wake;
        std::atomic<bool>& was_asleep;
        ~flushing() {
            wake.due = wake.channel.must_wake();
            was_asleep.store(wake.due, std::memory_order_relaxed);
        }
    } const at_the_end{wake, was_asleep_};
    for (std::size_t bytes = 0; bytes < most_at_a_time;) {
        auto next = next_to_send();
        if (!next) return {};
        if (!unwanted_.empty()) {
            const bool unwanted = std::ranges::find(unwanted_, next->id) != unwanted_.end();
            // Chunks are sent in the order of their numbers: what is noted of older ones is stale.
            std::erase_if(unwanted_, [&](std::uint64_t id) { return id <= next->id; });
            if (unwanted) return unsent{std::move(*next)};
        }
        try {
            teach();
            bytes += put(*next, want_rss, by);
        } catch (const channel_full&) {
            keep_unsent(std::move(*next));
            if (!process_->channel().want_room()) return {};
        } catch (const channel_corrupt&) {
            // The worker is lost, and what it was to have goes to others with the rest.
            keep_unsent(std::move(*next));
            process_->kill();
            return {};
        } catch (...) {
            return find_culprit({std::move(*next), std::current_exception()});
        }
    }
    more = true;
    return {};
}

/// Which item of a chunk cannot be encoded is found by trying them one by one. Under the lock, as
/// long as its inputs are not let go of.
worker_seat::unsent worker_seat::find_culprit(unsent chunk_of) {
    const chunk& c = chunk_of.what;
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
            chunk_of.culprit = i;
            chunk_of.error = std::current_exception();
            break;
        }
    }
    return chunk_of;
}

/// Writes the message of a chunk, and remembers the chunk.
[[gnu::hot]] std::size_t worker_seat::put(chunk& c, bool want_rss, const listener& by) {
    const work& w = *c.of;
    const call_preamble preamble{w.remote(), c.attempt, w.settings().label_text()};
    std::uint32_t flags = preamble.flags();
    if (want_rss) flags |= call_flag::want_rss;
    if (w.settings().timeout.count() > 0) flags |= call_flag::timed;
    sizer s;
    preamble.size(s);
    w.size(c, s);
    auto& channel = process_->channel();
    const bool heard = &w == by.to;
    if (heard && by.caller && flights_.empty()) {
        leave_loop();
        channel.disarm();
        unheard_ = true;
    } else if (heard && by.loop && leave_to(by.loop)) {
        if (flights_.empty()) {
            channel.leave_to_loop();
            unheard_ = false;
            loan_->lent.store(false, std::memory_order_relaxed);
        }
    } else if ((unheard_ || loop_) && !(heard && by.caller)) {
        arm_reactor();
    }
    flights_.reserve_one();
    writer& out = channel.begin(message_kind::call, c.id, flags, s.size());
    // The first items of a chunk might run before the last is known to have been written; and a
    // timeout does not count what it takes to write.
    if (!w.many() && (flags & call_flag::timed) == 0 && s.descriptors() == 0) channel.let_flow();
    try {
        preamble.encode(out);
        w.encode(c, out);
        if (out.room() != 0)
            throw serialization_error{"coproc: a value shrank while it was being encoded (is "
                                      "another thread writing to it?)"};
    } catch (...) {
        channel.abandon();
        throw;
    }
    const message_token token = channel.commit();
    flights_.push_back(std::move(c), token);
    if (s.size() > endpoint::inline_limit) last_large_ = steady::now();
    return s.size();
}

worker_seat::revocation worker_seat::revoke(std::uint64_t chunk_id, bool for_good) {
    chunk dropped; // released outside the lock
    const std::scoped_lock lock{mutex_};
    if (left_) return revocation::unknown;
    if (const auto kept = std::ranges::find(unsent_, chunk_id, &chunk::id); kept != unsent_.end()) {
        dropped = std::move(*kept);
        unsent_.erase(kept);
        keeps_unsent_.store(!unsent_.empty(), std::memory_order_relaxed);
        return revocation::revoked;
    }
    auto* const at = flights_.find(chunk_id);
    if (at == nullptr) {
        // Either its reply has just been heard, or another thread is about to send it. Nobody
        // clears what is noted for the former, so only the newest are kept.
        if (for_good) unwanted_.push_back(chunk_id);
        if (unwanted_.size() > unwanted_limit) unwanted_.pop_front();
        return revocation::unknown;
    }
    if (!process_->channel().revoke(at->token)) return revocation::started;
    dropped = flights_.take(at);
    return revocation::revoked;
}

void worker_seat::retire() {
    const std::scoped_lock lock{mutex_};
    if (left_) return;
    try {
        process_->channel().send(message_kind::retire);
    } catch (const std::exception&) {
        process_->kill(); // it cannot be asked
    }
    boost::asio::post(reactor(), [self = shared_from_this()] {
        if (self->over_) return;
        // A static destructor of the program may hang; the pool's end must not.
        self->patience_.expires_after(std::chrono::seconds{5});
        self->patience_.async_wait([self](boost::system::error_code ec) {
            if (!ec) self->process_->kill();
        });
    });
}

[[gnu::hot]] worker_news worker_seat::listen(afterwards then) {
    worker_news news;
    const std::scoped_lock lock{mutex_};
    if (left_) return news;
    try {
        hear_all(news, then);
    } catch (const std::exception&) { // whatever the worker wrote, it was not what a worker writes
        news.corrupt = true;
    }
    if (!news.empty()) {
        news.counted = true;
        undigested.fetch_add(1, std::memory_order_relaxed);
    }
    return news;
}

[[gnu::hot]] void worker_seat::hear_all(worker_news& news, afterwards then) {
    auto& channel = process_->channel();
    const bool for_loop =
        then == afterwards::wait_for_loop || then == afterwards::wait_for_next_look;
    for (;;) {
        while (incoming* message = channel.peek()) {
            if ((for_loop || then == afterwards::look_again) &&
                message->bytes.size() > endpoint::inline_limit) {
                leave_loop();
                loan_->lent.store(false, std::memory_order_relaxed);
                channel.disarm();
                os::ring(process_->doorbell()); // they have other things to do than to decode that
                return;
            }
            // To decode that may take long.
            if (message->bytes.size() > endpoint::inline_limit) callback_batch::hand_over();
            hear(*message, news);
            channel.pop();
            news.more = news.done.size() >= news_limit || news.handshake_now;
            if (news.more) return;
        }
        if (then == afterwards::nothing || then == afterwards::look_again) return;
        if (then == afterwards::wait_for_bell)
            loan_->lent.store(false, std::memory_order_relaxed);
        else if (loan_->lent.load(std::memory_order_relaxed))
            return; // the callbacks' thread listens
        news.nothing_due = then != afterwards::wait_for_bell && flights_.empty();
        if (then == afterwards::look_on && !news.nothing_due) return;
        unheard_ = news.nothing_due;
        if (unheard_) {
            leave_loop();
            channel.disarm();
            return;
        }
        if (loop_ && for_loop) {
            if (then == afterwards::wait_for_next_look || !channel.arm_loop(loop_slot_)) return;
            continue;
        }
        // The reactor may have come too late, when the loop had been there and gone on. What it
        // reads here can only change to `nobody`, and its bell is rung for that.
        if (loop_ && then == afterwards::wait_for_bell && channel.left_to_loop()) return;
        leave_loop();
        if (!channel.arm()) return;
    }
}

[[gnu::hot]] void worker_seat::hear(incoming& message, worker_news& news) {
    if (!was_ready()) {
        const auto now = handshake_.on_message(message);
        if (now == handshake::state::ready) {
            learned_ = 0;
            ready_.store(true, std::memory_order_release);
        }
        if (now == handshake::state::initializing)
            boost::asio::post(reactor(),
                              [self = shared_from_this()] { self->greeting_time_.cancel(); });
        if (now == handshake::state::ready || now == handshake::state::failed)
            news.handshake_now = now;
        return;
    }
    auto* const at = flights_.find(message.id);
    if (at == nullptr) return; // of a task that has been forgotten
    switch (message.kind) {
    case message_kind::reply:
    case message_kind::failed: {
        const chunk& c = at->what;
        chunk_outcome outcome;
        try {
            reader payload = message.payload();
            if (message.kind == message_kind::reply)
                outcome = c.of->accept(c, payload, *this);
            else
                outcome.error = decode_exception(payload, where(*c.of, c.first));
        } catch (...) {
            outcome.error = local_failure(std::current_exception(), where(*c.of, c.first));
        }
        news.done.push_back(
            {flights_.take(at), std::move(outcome),
             std::chrono::nanoseconds{static_cast<std::int64_t>(message.duration_ns)},
             message.resident_bytes});
        if (!trim_due_ && process_->channel().holds_much()) {
            trim_due_ = true;
            boost::asio::post(reactor(), [weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->trim_after(quiet_time);
            });
        }
        break;
    }
    case message_kind::progress: {
        reader payload = message.payload();
        const auto report = payload.raw<progress_report>();
        if (!at->what.of->many()) at->what.of->core().report_progress(report.done, report.total);
        break;
    }
    default:
        throw channel_corrupt{"coproc: a worker sent a message that only its parent sends"};
    }
}

// The timer does not keep a seat whose worker has ended.
void worker_seat::trim_after(steady::duration time) {
    quiet_.expires_after(time);
    quiet_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
        if (ec) return;
        if (const auto self = weak.lock()) self->trim();
    });
}

/// Not what is still in flight: a later reply sets the timer once more.
void worker_seat::trim() {
    const std::scoped_lock lock{mutex_};
    if (left_) return;
    const auto quiet_for = steady::now() - last_large_;
    if (quiet_for < quiet_time) {
        trim_after(quiet_time - quiet_for);
        return;
    }
    process_->channel().trim();
    trim_due_ = false;
}

void worker_seat::hear_for_loop(bool arm) {
    pool_->hear_out(shared_from_this(),
                    arm ? afterwards::wait_for_loop : afterwards::wait_for_next_look);
}

bool worker_seat::reply_is_near() const noexcept {
    return !was_asleep_.load(std::memory_order_relaxed) && pool_->calls_are_tiny();
}

[[gnu::hot]] void worker_seat::disarm() {
    if (!process_->channel().armed()) return;
    const std::scoped_lock lock{mutex_};
    if (!left_) process_->channel().disarm();
}

[[gnu::hot]] bool worker_seat::has_news() {
    const std::unique_lock lock{mutex_, std::try_to_lock};
    return lock && !left_ && process_->channel().has_message();
}

void worker_seat::after_last_words(std::function<void()> then) {
    tagged_output* const output = process_->output();
    if (output == nullptr) {
        then();
        return;
    }
    patience_.expires_after(std::chrono::seconds{2});
    patience_.async_wait([then](boost::system::error_code ec) {
        if (!ec) then();
    });
    output->when_passed_on([self = shared_from_this(), then = std::move(then)]() mutable {
        boost::asio::post(reactor(), [self = std::move(self), then = std::move(then)] {
            self->patience_.cancel();
            then();
        });
    });
}

bool worker_seat::leave() {
    flights dropped; // released outside the lock
    std::deque<chunk> dropped_unsent;
    const std::scoped_lock lock{mutex_};
    if (left_) return false;
    left_ = true;
    loan_->lent.store(false, std::memory_order_relaxed);
    leave_loop();
    std::swap(dropped, flights_);
    dropped_unsent.swap(unsent_);
    keeps_unsent_.store(false, std::memory_order_relaxed);
    return true;
}

failure_info worker_seat::where(const work& w, std::uint64_t item) const {
    failure_info info;
    info.index = w.many() ? item : 0;
    info.worker_pid = process_->pid();
    info.worker_name = process_->name();
    info.label = w.settings().label_text();
    return info;
}

} // namespace coproc::detail
