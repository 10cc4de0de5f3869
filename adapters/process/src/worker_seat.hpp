// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One worker process as a pool sees it: what is in flight on its channel, and the watch on its bell
// and its end. The backend decides, the seat carries out. Its mutex serialises the channel; it is
// never held together with the backend's, and no user code but the codec runs under it.

#include <coproc/detail/dispatcher.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <src/flights.hpp>
#include <src/handshake.hpp>
#include <src/loop_bell.hpp>
#include <src/outbox.hpp>
#include <src/worker_process.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace coproc::detail {

class process_backend;

/// What a worker has said since it was last listened to.
struct worker_news {
    struct completed {
        chunk what; // kept until no lock is held: with it may go the last reference to the task
        chunk_outcome outcome;
        std::chrono::nanoseconds took;
        std::size_t rss;
    };
    std::vector<completed> done;
    std::optional<handshake::state> handshake_now; ///< set when it changed to ready or failed
    bool corrupt = false;
    bool more = false;        ///< may be on the channel: it was not listened to until the end
    bool counted = false;     ///< in worker_seat::undigested
    bool nothing_due = false; ///< nothing is in flight: there is no bell to wait for

    worker_news() noexcept;
    worker_news(worker_news&&) noexcept = default;
    worker_news& operator=(worker_news&&) = delete;
    ~worker_news();

    [[nodiscard]] bool empty() const noexcept { return done.empty() && !handshake_now && !corrupt; }

private:
    /// A thread keeps a list, so that it need not grow again each time; null at the thread's end.
    static std::vector<completed>* spare() noexcept;
};

class worker_seat final : public std::enable_shared_from_this<worker_seat>, private origin {
public:
    worker_seat(boost::intrusive_ptr<process_backend> pool, std::unique_ptr<worker_process> process,
                const job* initializer);
    worker_seat(const worker_seat&) = delete;
    worker_seat& operator=(const worker_seat&) = delete;
    ~worker_seat();

    /// Which of the pool's workers it is. Set once, under the backend's mutex, by which others come
    /// to know the seat.
    void take_place(worker_index index) noexcept { index_ = index; }
    [[nodiscard]] worker_index index() const noexcept { return index_; }
    [[nodiscard]] worker_process& process() noexcept { return *process_; }

    /// Starts to watch for its end. Nothing that it says is heard yet.
    void watch_end();
    /// Starts to listen: to its bell, and for a hello within the time the worker has for that.
    void greet();

    // --- towards the worker ------------------------------------------------------------------------------------
    /// Who takes the reply to a work that is being submitted, if not the reactor.
    struct listener {
        const work* to = nullptr;
        /// The calling thread will wait for the reply by itself and end that with
        /// wait_for_what_is_due, so the bell need not ring for it.
        bool caller = false;
        std::shared_ptr<loop_bell> loop{}; ///< which the caller runs, and will have look for it
    };
    /// Under the backend's lock, so that chunks are sent in the order in which that was decided, no
    /// matter which thread gets here first. Outside it, send() has to be called.
    void post(chunk what) noexcept;
    /// A chunk that has not been sent, and what encoding it threw and at which item; nothing: it
    /// has been revoked for good.
    struct unsent {
        chunk what;
        std::exception_ptr error{};
        std::uint32_t culprit = 0;
    };
    /// Puts what has been posted on the channel, and wakes the worker if it sleeps. At the first
    /// one that cannot be sent it ends and returns that. When dead, it takes all and sends nothing.
    /// What the channel has no room for is kept until the worker rings for more, or replies.
    std::optional<unsent> send(bool want_rss, const listener& by);
    /// There is such a thing: send() once more.
    [[nodiscard]] bool keeps_unsent() const noexcept {
        return keeps_unsent_.load(std::memory_order_relaxed);
    }
    enum class revocation {
        revoked, ///< it had not been started and never will be
        started, ///< too late
        unknown, ///< it is not in flight (any more); with `for_good` it will not be sent either
    };
    revocation revoke(std::uint64_t chunk_id, bool for_good);
    /// Asks it to end once it has done what it was sent.
    void retire();

    // --- from the worker ---------------------------------------------------------------------------------------
    enum class afterwards {
        nothing,
        look_again,           ///< nothing either; what takes long is left to the reactor
        wait_for_bell,        ///< the bell is armed, so that what comes later is announced
        wait_for_what_is_due, ///< the same, unless nothing is in flight: then the next send sees to
                              ///< it
        look_on,              ///< the same if nothing is in flight; else the caller looks again
        wait_for_loop,        ///< the same for a loop: its bell, if all replies are left to it
        wait_for_next_look,   ///< the same, but no bell yet: the loop is about to look once more
    };
    /// Takes what is on the channel.
    worker_news listen(afterwards then);
    /// The bell stays silent while a thread looks by itself.
    void disarm();
    [[nodiscard]] bool has_news();
    /// A loop takes what was left to it, and has its bell armed for the rest unless it will look
    /// once more at once.
    void hear_for_loop(bool arm);
    /// Leaves it to the callbacks' thread to listen. False: that would not pay, or cannot be. On
    /// the reactor's thread.
    [[nodiscard]] bool lend_to_callbacks();
    /// The worker was awake when it was last sent something, and calls are very short.
    [[nodiscard]] bool reply_is_near() const noexcept;
    /// It waits for something to do, and has to be woken for that.
    [[nodiscard]] bool asleep() const noexcept { return process_->channel().worker_sleeps(); }
    /// It has been woken, or is about to be, but the CPU where it was is the one of this thread.
    [[nodiscard]] bool waits_for_this_cpu() const noexcept {
        return process_->channel().worker_waits_for_this_cpu();
    }
    [[nodiscard]] std::optional<running_call> running() const noexcept {
        return process_->channel().running();
    }

    /// For after its end: calls `then` on the reactor's thread when what the worker has printed is
    /// out, if that is the library's to see to; at the latest after two seconds, because the
    /// program's stdout may be stuck. May call it twice.
    void after_last_words(std::function<void()> then);

    /// Takes the seat out of service: false if it was already. What is on the channel is not
    /// listened to any more.
    bool leave();
    [[nodiscard]] bool was_ready() const noexcept { return ready_.load(std::memory_order_acquire); }
    [[nodiscard]] handshake& greeting() noexcept { return handshake_; }

    /// Where the given item of the chunk ran, for its error.
    [[nodiscard]] failure_info where(const work& w, std::uint64_t item) const override;

    /// Deliberately retired: its end is no loss. Guarded by the backend's mutex.
    bool retired = false;
    /// Started ahead. Guarded by the backend's mutex.
    bool was_spare = false;
    /// How much news has been taken off the channel that the dispatcher does not know yet: another
    /// thread is about to tell it. Whether a chunk was lost with the worker cannot be said before.
    /// Goes down under the backend's mutex.
    std::atomic<unsigned> undigested{0};
    /// What waits for that. Guarded by the backend's mutex.
    std::function<void()> when_digested;
    /// The last bell led to many callbacks. The reactor's.
    bool calls_back = false;

private:
    /// That the callbacks' thread listens; it knows of it somewhat longer than that.
    struct loan_terms {
        std::atomic<bool> lent{false}; // set under the mutex
        std::atomic<unsigned> looks{0};
        bool known_there = false;
    };
    class loan;

    void hear_for_callbacks(afterwards then) noexcept;
    void watch_loan();
    void hear_all(worker_news& news, afterwards then);
    void hear(incoming& message, worker_news& news);
    std::optional<unsent> send_some(bool want_rss, const listener& by, bool& more);
    [[nodiscard]] std::optional<chunk> next_to_send() noexcept;
    void keep_unsent(chunk what);
    [[nodiscard]] static unsent find_culprit(unsent chunk_of);
    std::size_t put(chunk& c, bool want_rss, const listener& by);
    void arm_reactor();
    void wait_for_end();
    [[nodiscard]] bool leave_to(const std::shared_ptr<loop_bell>& loop);
    void leave_loop() noexcept;
    void wait_for_bell();
    void teach();
    void trim_after(steady::duration time);
    void trim();

    const boost::intrusive_ptr<process_backend> pool_;
    worker_index index_ = 0;
    const std::unique_ptr<worker_process> process_;
    handshake handshake_;

    outbox outbox_; // in under the backend's mutex, out under this one
    patient_mutex mutex_;
    std::deque<chunk> unsent_; // there was no room for: before what is in the outbox
    std::atomic<bool> keeps_unsent_{false};
    flights flights_;
    std::deque<std::uint64_t> unwanted_; // revoked for good before they were sent
    std::uint64_t learned_ = 0;          // how much of the exception registry the worker knows
    bool left_ = false;
    bool unheard_ =
        false; // the bell is not armed, and what is in flight has a thread that listens for it
    std::shared_ptr<loop_bell> loop_; // takes the replies to all that is in flight
    std::uint32_t loop_slot_ = 0;
    std::vector<std::weak_ptr<loop_bell>> loops_; // by slot: the worker knows their bells
    const std::shared_ptr<loan_terms> loan_ = std::make_shared<loan_terms>();
    std::atomic<bool> was_asleep_{false}; // when it was last sent something
    std::atomic<bool> ready_{false};
    steady::time_point last_large_{}; // when a payload was sent that takes memory of its own
    bool trim_due_ = false;           // the timer runs that gives such memory back

    // The reactor's.
    bool over_ = false; // the worker has ended: what would wait for it must not keep the seat
    boost::asio::posix::stream_descriptor bell_;
    boost::asio::posix::stream_descriptor end_;
    boost::asio::steady_timer greeting_time_;
    boost::asio::steady_timer patience_; // with its end
    boost::asio::steady_timer quiet_;
    boost::asio::steady_timer loan_time_;
    bool loan_watched_ = false;
};

using seat_ptr = std::shared_ptr<worker_seat>;

} // namespace coproc::detail
