// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What manager_client::get gives: requests and their replies over one transport, for all threads.
// One thread at a time receives, and delivers the replies to whomever they are for: the driver. A
// thread that blocks for its reply drives; if another one does already, it sleeps until its reply
// is delivered, or until it is its turn to drive. While nobody blocks and a reply is awaited, the
// reactor drives whenever there is something to read.
//
// connection.cpp: calling, sending, objects. connection_receive.cpp: driving. connection_watch.cpp:
// what the reactor does.

#include <coproc/detail/forks.hpp>
#include <coproc/duration.hpp>
#include <os/unique_fd.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <manager/client.hpp>
#include <manager/frame_sender.hpp>
#include <manager/open_connection.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace coproc::detail {

class remote_handle;

class connection final : public manager_client, public std::enable_shared_from_this<connection> {
public:
    connection(client_address address, open_connection&& from);
    ~connection() override;

    remote_reply call(manager_op op, std::uint64_t object, const remote_payload& what,
                      std::uint64_t timeout) override;
    remote_reply call_within(manager_op op, std::uint64_t object, const remote_payload& what,
                             std::chrono::nanoseconds patience) override;
    /// Gets a reply that comes too late, on any thread; does not throw.
    using late_sink = std::function<void(remote_reply&&)>;
    /// Throws timeout_error then.
    remote_reply call_or_give_up(manager_op op, std::uint64_t object, const remote_payload& what,
                                 std::uint64_t timeout, steady::time_point until, late_sink take);
    /// Gives up then: returns nothing, and the waiter is told of the reply that is still to come;
    /// or of a failure without an error, if the request was not sent. If it throws, or there is a
    /// reply, the waiter is told nothing.
    std::optional<remote_reply> call_until(manager_op op, std::uint64_t object,
                                           const remote_payload& what, std::uint64_t timeout,
                                           steady::time_point until, remote_waiter& late);
    /// The request's number; the waiter is told of the reply.
    std::uint64_t start(manager_op op, std::uint64_t object, const remote_payload& what,
                        std::uint64_t timeout, remote_waiter& waiter);
    void tell(manager_op op, std::uint64_t object, std::uint64_t request,
              const remote_payload& what) noexcept override;

    [[nodiscard]] std::shared_ptr<remote_target> root() override;
    remote_ptr adopt(remote_reply&& reply) override;
    remote_ptr redeem(std::uint64_t object, std::uint64_t ticket) override;
    /// The handle of this object is gone: so is its reference.
    void forget(std::uint64_t id) noexcept;
    [[nodiscard]] std::uint64_t number_of(const remote_object& object) const noexcept override;

    [[nodiscard]] bool same_build() const noexcept override;
    [[nodiscard]] std::int32_t server_pid() const noexcept override {
        return static_cast<std::int32_t>(server_.pid);
    }
    [[nodiscard]] const client_address& address() const noexcept override { return address_; }
    [[nodiscard]] bool alive() noexcept override { return usable(); }
    /// Neither ended nor inherited through a fork.
    [[nodiscard]] bool usable();
    void explain_end(std::function<std::string()> how) override;

private:
    using descriptor = boost::asio::posix::stream_descriptor;

    /// A thread that blocks for its reply, or for its turn to drive.
    struct sync_wait {
        std::optional<remote_reply> reply{};
        std::exception_ptr error{};
        bool done = false;
        bool may_drive = false;
        std::optional<steady::time_point> until{}; // it gives up
        sync_wait* slept_before = nullptr; // the sleepers are a list without memory of its own
        std::condition_variable woken{};

        [[nodiscard]] bool is_late() const { return until && *until <= steady::now(); }
    };
    /// What a request in flight leads to.
    struct in_flight {
        sync_wait* blocked = nullptr;
        remote_waiter* waiter = nullptr;
        std::uint64_t object = 0;
        bool takes = false;       // what comes is given back,
        bool unwanted = false;    // if nobody waits for it any more;
        bool acknowledge = false; // else it is acknowledged
    };
    /// Closes the descriptors, which are private until then: a worker that is forked meanwhile
    /// would keep the session open.
    struct close_link {
        void operator()(transport* link) const noexcept;
    };
    /// The reactor's waits for the transport.
    struct watching {
        watching(boost::asio::io_context& context, const transport& link)
            : socket{context, link.socket()} {
            if (link.bell() >= 0) bell.emplace(context, link.bell());
        }
        descriptor socket;
        std::optional<descriptor> bell;
        // How many of the waits are under way. Guarded by the connection's mutex.
        bool on_socket = false;
        bool on_bell = false;
    };

    /// Whether this is the process that connected, not a fork of it.
    [[nodiscard]] bool ours() const noexcept { return generation_ == count_forks(); }

    /// Without the lock, which a thread may hold that is not here.
    void require_ours() const;

    /// Until the reply, a failure, or the end of its patience.
    void wait_for_reply(std::unique_lock<std::mutex>& lock, std::uint64_t id, sync_wait& own);
    /// Under the lock. False: the request was not sent, and will not be.
    bool give_up(manager_op op, std::uint64_t id, remote_waiter& late) noexcept;

    // --- sending, under the lock -----------------------------------------------------------------
    std::uint64_t send_request(manager_op op, std::uint64_t object, const remote_payload& what,
                               std::uint64_t timeout, const in_flight& entry);
    /// If it throws, nothing of it will be sent.
    void push(const frame_header& header, const remote_payload& what);
    /// As much as there is room for. What goes wrong, whoever drives meets again, and tells all.
    void flush() noexcept;
    /// Something waits for room.
    [[nodiscard]] bool unsent() const noexcept { return !out_.empty() || link_->wants_to_write(); }
    /// The driver or the reactor writes what is unsent.
    void see_to_unsent() noexcept;

    // --- receiving: the driver only --------------------------------------------------------------
    /// Serves the connection until the own reply is there, or is late. Unlocks meanwhile.
    void drive(std::unique_lock<std::mutex>& lock, const sync_wait& own);
    /// What is there, until the own reply has come, or is late. True if there was anything.
    bool receive(const sync_wait* own);
    void deliver(frame& in);
    /// Tells the server that what came is here, or gives it back. Under the lock.
    void acknowledge(std::uint64_t id, const in_flight& to);
    std::vector<int> take_descriptors(std::uint32_t count);
    [[noreturn]] void end_of_connection() const;
    /// All that wait are told, those that block and those that do not. Unlocks meanwhile.
    void fail_all(std::unique_lock<std::mutex>& lock, std::exception_ptr why);

    // --- who drives next, under the lock ---------------------------------------------------------
    /// Whoever has driven leaves: another one that blocks goes on, or the reactor does.
    void hand_over();
    /// False: nobody blocks.
    bool hand_over_to_sleeper();
    void sleep_until_done_or_driving(std::unique_lock<std::mutex>& lock, sync_wait& own);

    // --- the reactor -----------------------------------------------------------------------------
    /// Sees to it that the reactor takes the replies, and writes what is unsent. Under the lock.
    void keep_watch();
    /// It lives until all is sent, though nobody else may hold it by then. Under the lock, by
    /// someone who holds it.
    void live_until_sent();
    /// On the reactor: reads what is there, then waits for more.
    void watch();
    void wait_on(descriptor& what, bool& under_way, bool is_bell);
    void woken(bool is_bell);

    client_address address_;
    unsigned generation_;
    std::unique_ptr<transport, close_link> link_;
    frame_parser parser_; // the driver's
    manager_peer server_;
    os::unique_fd nudge_; // wakes a driver that sleeps: there is something to write

    std::mutex mutex_; // of what follows
    frame_sender out_;
    std::unordered_map<std::uint64_t, in_flight> in_flight_;
    std::unordered_map<std::uint64_t, std::weak_ptr<remote_handle>> handles_;
    sync_wait* last_sleeper_ = nullptr;
    std::uint64_t next_request_ = 1;
    std::size_t waiters_ = 0; // of those in flight: nobody blocks for them
    bool driving_ = false;
    bool driver_sleeps_ = false;
    bool waits_to_write_ = false;
    std::uint64_t replies_ = 0;           // that have come
    std::uint64_t stuck_at_ = UINT64_MAX; // so many had, when a proxy could not be redeemed
    std::exception_ptr failure_;
    std::function<std::string()> how_it_ended_;
    bool explaining_ = false;
    std::condition_variable explained_;
    std::unique_ptr<watching> watch_;
    std::shared_ptr<connection> until_sent_; // itself, while the reactor has something to write
    spin_budget spin_;
};

} // namespace coproc::detail
