// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How chunks come to the workers, and back from them.

#include <coproc/detail/callback_batch.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/log.hpp>
#include <os/clock.hpp>
#include <os/spin.hpp>
#include <src/process_plan.hpp>
#include <src/reactor.hpp>

#include <functional>
#include <sanitized.hpp>
#include <thread>

namespace coproc::detail {

namespace {

// How long a waiting thread looks by itself: long enough for a sleeping worker to wake up and run a
// short call. If it were to give up sooner, both sides would go to sleep at every call. For calls
// that are long it is hardly worth it.
constexpr std::int64_t longest_spin_ns = 60'000;
constexpr std::int64_t shortest_spin_ns = 4'000;
// The reply to such a call is awaited by looking also where a thread has other things to do.
#ifdef COPROC_SANITIZED
constexpr std::int64_t tiny_call_ns = 100'000; // the same call
#else
constexpr std::int64_t tiny_call_ns = 2'000;
#endif
// So many callbacks from one bell: their thread need not be woken for the next ones.
constexpr std::size_t worth_lending = 8;

} // namespace

// --- to the workers ----------------------------------------------------------------------------------------------

[[gnu::hot]] void process_backend::send(const seat_ptr& seat, const listener& by) {
    // What cannot be sent makes room for others, which may not be sendable either: this goes on
    // here, and not one call deeper for each.
    std::vector<seat_ptr> others;
    send_to(seat, by, others);
    while (!others.empty()) {
        const seat_ptr next = std::move(others.back());
        others.pop_back();
        send_to(next, listener{}, others);
    }
}

[[gnu::hot]] void process_backend::send_to(const seat_ptr& seat, const listener& by,
                                           std::vector<seat_ptr>& others) {
    while (auto left = seat->send(max_worker_memory_ != 0, by))
        if (left->error)
            refuse(seat, *left, others);
        else
            give_back(seat, left->what.id, &others);
}

/// The chunk could not be encoded, because of one of its items.
void process_backend::refuse(const seat_ptr& seat, const worker_seat::unsent& left,
                             std::vector<seat_ptr>& to_send) {
    const chunk& c = left.what;
    auto told = local_failure(left.error, seat->where(*c.of, c.first + left.culprit));
    decide(
        [&](dispatcher& d, effects& out) {
            d.refused(seat->index(), c.id, left.culprit, std::move(told), steady::now(), out);
            return true;
        },
        listener{}, &to_send);
}

/// A chunk that is wanted back (`insist`: or not wanted at all). What has not been started is
/// simply revoked; a worker that runs it is stopped only if that was insisted on.
void process_backend::take_back(const seat_ptr& seat, std::uint64_t chunk_id, bool insist) {
    for (;;) {
        switch (seat->revoke(chunk_id, insist)) {
        case worker_seat::revocation::revoked:
            give_back(seat, chunk_id, nullptr);
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

void process_backend::give_back(const seat_ptr& seat, std::uint64_t chunk_id,
                                std::vector<seat_ptr>* to_send) {
    decide(
        [&](dispatcher& d, effects& out) {
            if (seats_[seat->index()] == seat)
                d.returned(seat->index(), chunk_id, steady::now(), out);
            return true;
        },
        listener{}, to_send);
}

// --- from the workers --------------------------------------------------------------------------------------------

[[gnu::hot]] void process_backend::digest(const seat_ptr& seat, worker_news news) {
    if (seat->keeps_unsent()) send(seat, listener{}); // there may be room now
    if (news.empty() && !news.counted) return;
    const auto index = seat->index();
    const bool greeting_failed = news.handshake_now == handshake::state::failed;
    for (const auto& c : news.done)
        c.what.of->let_go(c.what, c.outcome.ok);
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
        if (news.handshake_now == handshake::state::ready) {
            d.ready(index, now, out);
            see_to_spares();
        }
        return true;
    });
    if (digested) digested();
    if (greeting_failed || news.corrupt) dismiss_faulty(seat, greeting_failed);
}

void process_backend::hear_out(const seat_ptr& seat, worker_seat::afterwards then) {
    const callback_batch callbacks;
    hear_all(seat, then);
}

void process_backend::hear_all(const seat_ptr& seat, worker_seat::afterwards then) {
    bool more = true;
    while (more) {
        auto news = seat->listen(then);
        more = news.more;
        digest(seat, std::move(news));
    }
}

/// Where many callbacks come from, it can be left to their thread to listen.
void process_backend::on_bell(const seat_ptr& seat, bool may_lend) {
    const callback_batch callbacks; // handed over behind the loan
    if (may_lend && seat->calls_back) {
        hear_all(seat, worker_seat::afterwards::nothing);
        // What has been handed over before does not have that thread look.
        if (callbacks.seen() >= worth_lending && !callbacks.empty() && calls_are_tiny() &&
            seat->lend_to_callbacks())
            return;
    }
    hear_all(seat, worker_seat::afterwards::wait_for_bell);
    seat->calls_back = callbacks.seen() >= worth_lending;
}

[[gnu::hot]] void process_backend::help(work& w) noexcept {
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
    const auto spin_ns =
        static_cast<std::uint64_t>(short_calls ? longest_spin_ns : shortest_spin_ns);
    std::uint64_t until = 0; // the clock is not read for what the first look finds
    const auto time_left = [&]() noexcept {
        const auto now = os::monotonic_ns();
        if (until == 0) until = now + spin_ns;
        return now < until;
    };
    try {
        seat->disarm();
        bool nothing_due = false;
        do {
            // It would run when this thread is tired of looking.
            if (seat->waits_for_this_cpu()) std::this_thread::yield();
            for (int i = 0; i < 16 && !w.core().ready(); ++i) {
                if (seat->has_news()) break;
                os::pause();
            }
            auto news = seat->listen(worker_seat::afterwards::look_on);
            nothing_due = news.nothing_due;
            digest(seat, std::move(news));
        } while (!w.core().ready() && time_left());
        if (!nothing_due) hear_out(seat, worker_seat::afterwards::wait_for_what_is_due);
    } catch (const std::exception& e) {
        log(log_kind::other, e.what());
    }
}

bool process_backend::calls_are_tiny() const noexcept {
    return last_call_ns_.load(std::memory_order_relaxed) < tiny_call_ns;
}

} // namespace coproc::detail
