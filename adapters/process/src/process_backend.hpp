// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The pool's work on worker processes: the dispatcher decides under one lock, the effects are
// carried out behind it. Whoever is here carries them out: a submitting thread writes into the
// worker's channel itself, a waiting thread takes its reply out of it; the reactor does the rest
// when a bell rings.
//
// While calls wait, a further one has nobody to go to: it is left in an inbox without the lock, and
// comes into the queue with the next decision that the order counts for, or that empties the queue.

#include <coproc/detail/backend.hpp>
#include <coproc/detail/dispatcher.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <coproc/detail/placement.hpp>
#include <coproc/detail/work_inbox.hpp>
#include <coproc/log.hpp>
#include <src/worker_seat.hpp>

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace coproc::detail {

class process_backend final : public backend {
public:
    explicit process_backend(const pool_options& options);
    ~process_backend() override;

    /// Launches the workers; if one cannot be, stops the others and throws.
    void start();

    void submit(work& w) override;
    void extend(work& w, std::uint64_t items, bool more_to_come) override;
    bool cancel(work& w) override;
    void help(work& w) noexcept override;
    void close() override;
    void terminate() override;
    void abandon_streams_of(std::thread::id consumer) override;
    [[nodiscard]] bool closed() const override;
    [[nodiscard]] result_state<void>& joined() noexcept override { return *joined_; }
    [[nodiscard]] pool_stats stats() override;
    [[nodiscard]] std::size_t workers() const noexcept override { return seats_.size(); }

    // --- called by seats -----------------------------------------------------------------------------------------
    void on_bell(const seat_ptr& seat, bool may_lend = true);
    /// Takes what the worker has said, on whichever thread.
    void hear_out(const seat_ptr& seat, worker_seat::afterwards then);
    [[nodiscard]] bool calls_are_tiny() const noexcept;
    void on_end(const seat_ptr& seat);
    void on_no_hello(const seat_ptr& seat);

private:
    process_backend(const pool_options& options, dispatcher_limits limits);

    /// The dispatcher's effects with the seats they concern, bound under the same lock as the
    /// decision.
    struct plan;
    using listener = worker_seat::listener;
    /// `to_send`: takes the seats that have been posted something; they are sent it here otherwise.
    template <class Event>
    bool decide(Event&& event, const listener& by, std::vector<seat_ptr>* to_send = nullptr);
    template <class Event>
    bool decide(Event&& event) {
        return decide(std::forward<Event>(event), listener{});
    }
    template <class Event>
    bool decide(std::unique_lock<patient_mutex> lock, Event&& event, const listener& by,
                std::vector<seat_ptr>* to_send = nullptr);
    void fetch_left();
    void submit_plain(work& w);
    void see_to_inbox();
    void put_in_order();
    void bind(plan& p);
    void carry_out(plan& p, const listener& by);
    void replace_worker(worker_index index);
    void launch_worker(worker_index index);
    seat_ptr launch_seat(std::optional<worker_index> place);
    [[nodiscard]] std::size_t spares_to_hold() const noexcept;
    void see_to_spares() noexcept;
    void launch_next_spare() noexcept;
    void launch_spare();
    seat_ptr give_place_to_spare(worker_index index);
    bool drop_spare(const seat_ptr& seat) noexcept;
    void digest(const seat_ptr& seat, worker_news news);
    void hear_all(const seat_ptr& seat, worker_seat::afterwards then);
    void take_back(const seat_ptr& seat, std::uint64_t chunk_id, bool insist);
    void give_back(const seat_ptr& seat, std::uint64_t chunk_id, std::vector<seat_ptr>* to_send);
    void stop_seat(const seat_ptr& seat, loss what);
    void dismiss_faulty(const seat_ptr& seat, bool greeting_failed);
    void bury(const seat_ptr& seat, int exit_code, std::optional<running_call> running);
    template <class F>
    void once_digested(const seat_ptr& seat, F&& then);
    void send(const seat_ptr& seat, const listener& by);
    void send_to(const seat_ptr& seat, const listener& by, std::vector<seat_ptr>& others);
    void refuse(const seat_ptr& seat, const worker_seat::unsent& left,
                std::vector<seat_ptr>& to_send);
    void process_ended(const seat_ptr& seat);
    /// What the log is to hear of a worker that was replaced or could not be started: noted under
    /// the lock, said behind it.
    struct notice {
        log_kind kind = log_kind::worker_restarted;
        std::string text{};
    };
    static void say(const notice& n) noexcept;
    [[nodiscard]] notice start_failed(worker_index index, const std::string& worker,
                                      std::exception_ptr error, bool hopeless, effects& out);
    void dismiss_all(bool at_once);
    void set_timer();
    void on_timer();
    void check_memory();
    [[nodiscard]] std::exception_ptr lost_error(const seat_ptr& seat, const work& w,
                                                std::uint64_t item, int exit_code,
                                                const std::string& why);

    const start_method method_;
    const unsigned omp_threads_; // for each worker; fewer where it is bound to fewer CPUs
    const placement placement_;
    const job initializer_;
    const std::size_t max_worker_memory_;
    const std::optional<unsigned> spare_workers_;
    const bool tag_output_;

    mutable patient_mutex mutex_;
    work_inbox inbox_;
    /// What is left in the inbox comes behind others: nobody need see to it.
    std::atomic<bool> crowded_{false};
    dispatcher dispatcher_;
    effects effects_;              // scratch, under mutex_
    std::vector<seat_ptr> seats_;  // by worker index; null while none is there
    std::set<seat_ptr> processes_; // all that have not been reaped
    std::size_t leaving_ = 0;      // reaped, and perhaps not yet forgotten by the reactor
    std::deque<seat_ptr> spares_;  // the oldest first
    bool any_replaced_ = false;    // some worker had to be started again
    std::size_t spares_due_ = 0;   // are about to be started
    unsigned launching_ = 0;
    unsigned long launched_ = 0;
    bool terminated_ = false;
    bool dismissed_ = false;
    bool joined_published_ = false;
    steady::time_point timer_at_ = steady::time_point::max();

    const boost::intrusive_ptr<result_state<void>> joined_;
    boost::asio::steady_timer timer_;           // the reactor's
    std::atomic<std::int64_t> last_call_ns_{0}; // how long the last single call ran
};

} // namespace coproc::detail
