// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// An io_context of the program's takes the replies to what was called from it by itself, so that
// the thread which waits is the one that is woken. It has a bell that workers ring in place of the
// reactor's, and looks at once for replies that are surely near. Nobody else depends on it: what
// it does not come for, the worker tells the reactor (announce::later).

#include <coproc/detail/event_loop.hpp>
#include <coproc/detail/patient_mutex.hpp>
#include <os/unique_fd.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace coproc::detail {

class worker_seat;

class loop_bell final : public loop_annex, public std::enable_shared_from_this<loop_bell> {
public:
    /// Throws std::system_error when there are no descriptors left.
    explicit loop_bell(boost::asio::io_context& context);
    ~loop_bell() override;

    /// That of the io_context which the calling thread runs, if something was awaited there before.
    /// Null: there is none, or none can be had.
    static std::shared_ptr<loop_bell> here();

    /// What the worker rings.
    [[nodiscard]] int descriptor() const noexcept { return bell_.get(); }

    /// The seat has calls in flight whose replies are left to this. Under the seat's mutex.
    void add(std::shared_ptr<worker_seat> seat);
    void remove(const worker_seat& seat) noexcept;

    /// Has the loop look at those that were added, once the running handler has returned. On a
    /// thread that runs the context.
    void look_soon();

private:
    class turn;

    void torn_down() noexcept override;
    void post_look();
    void look();
    template <class Hear>
    void take_turn(Hear first);
    void hear_near();
    void hear();
    [[nodiscard]] bool take(bool arm);
    void quiet() noexcept;
    void wait();
    void on_bell();

    boost::asio::io_context& context_;
    const unsigned generation_; // of the process it belongs to
    const os::unique_fd bell_;
    std::optional<boost::asio::posix::stream_descriptor> watch_; // on a duplicate
    std::atomic<bool> waiting_{false};                           // whoever sets it may use watch_
    std::atomic<bool> rung_{false};                              // and not read since
    std::atomic<bool> look_due_{false};
    patient_mutex mutex_; // the innermost
    std::vector<std::shared_ptr<worker_seat>> seats_;
};

} // namespace coproc::detail
