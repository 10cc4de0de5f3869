// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a manager's server hosts, without any I/O: requests of clients come in, answers go out
// through `hosted_effects`. Values are kept as the bytes that a client encoded, so one server does
// for all types. A request that has to wait (get on an empty queue, lock, wait) is parked, and
// answered by a later request, by the time, or by its client's end.
//
// One thread at a time.

#include <os/unique_fd.hpp>

#include <chrono>
#include <cstdint>
#include <list>
#include <manager/frame.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace coproc::detail {

using client_id = std::uint64_t;
using object_id = std::uint64_t;
using bytes_t = std::vector<std::byte>;
using shared_fds = std::vector<std::shared_ptr<const os::unique_fd>>;

class hosted_objects;

/// The loans of the proxies in a value that is kept: they are not used up by who reads it, and hold
/// the objects as long as the value is there. After that they are as those of a message under way.
class kept_loans {
public:
    kept_loans(hosted_objects& host, std::vector<std::uint64_t> tickets);
    kept_loans(const kept_loans&) = delete;
    kept_loans& operator=(const kept_loans&) = delete;
    ~kept_loans();

    /// The value had one receiver, which has it: what it has redeemed is not needed any more.
    void received() noexcept { received_ = true; }

private:
    hosted_objects& host_;
    std::vector<std::uint64_t> tickets_;
    bool received_ = false;
};

/// A value as it was encoded. Descriptors and loans belong to handles in it.
struct hosted_value {
    bytes_t bytes{};
    shared_fds descriptors{};
    std::shared_ptr<kept_loans> loans{};
    std::uint64_t place = 0; ///< in its queue
};

/// A request, taken apart from its frame.
struct hosted_request {
    client_id client = 0;
    frame_header header{};
    bytes_t payload{};
    shared_fds descriptors{};
    std::shared_ptr<kept_loans> loans{};
};

struct hosted_answer {
    manager_status status = manager_status::ok;
    bytes_t payload{};
    shared_fds descriptors{};
};

/// An object of a user's class, and whose calls on it are under way.
struct user_object {
    std::shared_ptr<void> instance{};
    bool one_at_a_time = false; ///< else: one at a time of each client
};

class hosted_effects {
public:
    virtual void answer(client_id client, std::uint64_t request, hosted_answer&& what) = 0;
    /// Makes an object (`into` is empty yet) or calls one. Calls with the same lane, which is never
    /// 0, are to run one after another. Answers by itself, or through hosted_objects::made.
    virtual void run(hosted_request&& request, std::shared_ptr<user_object> object,
                     object_id lane_object, client_id lane_client) = 0;
    virtual void shut_down() = 0;

protected:
    ~hosted_effects() = default;
};

class hosted_objects {
public:
    using clock = std::chrono::steady_clock;

    /// How long a lent reference that nobody has taken outlives the client that lent it.
    static constexpr std::chrono::seconds lost_ticket_time{60};
    /// A client may have so many requests parked.
    static constexpr std::size_t most_parked = 100'000;

    explicit hosted_objects(hosted_effects& effects);
    ~hosted_objects();
    hosted_objects(const hosted_objects&) = delete;
    hosted_objects& operator=(const hosted_objects&) = delete;

    void enter(client_id client);
    /// The client's references, parked requests and locks go; elements that it was sent and never
    /// acknowledged go back to where they came from.
    void leave(client_id client, clock::time_point now);

    /// Throws protocol_error for what no client sends; every other mistake is an answer.
    void handle(hosted_request&& request, clock::time_point now);

    /// The answer to `make`: the object exists from now on.
    void made(client_id client, std::uint64_t request, const std::string& type,
              std::shared_ptr<user_object> user);

    [[nodiscard]] std::optional<clock::time_point> next_deadline() const;
    void expire(clock::time_point now);

    [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }
    [[nodiscard]] std::size_t parked() const noexcept { return parked_count_; }

    class object; // a hosted one

    struct waiter {
        client_id client = 0;
        std::uint64_t request = 0;
        std::uint64_t amount = 0; // of a semaphore
        bool puts = false;        // on a queue: the value waits for room
        hosted_value value{};
        std::optional<clock::time_point> deadline{};
    };
    using waiters = std::list<waiter>;

    /// What objects use.
    void answer(client_id client, std::uint64_t request, hosted_answer&& what);
    void refuse(client_id client, std::uint64_t request, manager_status status,
                const std::string& why);
    void park(object& where, waiters& list, waiter&& w);
    /// Takes it off its list; the caller answers.
    waiter unpark(waiters& list, waiters::iterator at);
    void sent_element(client_id client, std::uint64_t request, object& from, hosted_value value);

private:
    struct parked_at {
        object* where;
        waiters* list;
        waiters::iterator at;
    };
    struct loan {
        object_id object;
        client_id lender;
        bool kept = false;     // by a value
        bool redeemed = false; // while it was kept
    };
    struct unacknowledged {
        object_id object;
        hosted_value value;
    };
    struct client_state {
        std::unordered_map<object_id, std::uint64_t> references{};
        std::unordered_map<std::uint64_t, parked_at> parked{};
        std::map<std::uint64_t, unacknowledged> unacknowledged_elements{};
        std::set<std::uint64_t> loans{}; // tickets
    };
    struct early_ticket {
        object_id object;
        clock::time_point when;
    };

    void dispatch(hosted_request& request);
    void create(hosted_request& request);
    void find(const hosted_request& request);
    void publish(hosted_request& request);
    void redeem(const hosted_request& request);
    void lend(const hosted_request& request);
    friend class kept_loans;
    void keep_loans(hosted_request& request);
    void keep(std::uint64_t ticket);
    void keep_no_longer(std::uint64_t ticket, bool received) noexcept;
    void release(client_id client, object_id id);
    void cancel(client_id client, std::uint64_t request);
    void acknowledge(const hosted_request& request);
    void give_back(hosted_request& request);
    void refer(client_id client, object_id id);
    void drop(object_id id); // one reference less
    object_id add(std::unique_ptr<object> what);
    void answer_object(client_id client, std::uint64_t request, object_id id);
    object* look_up(const hosted_request& request);

    hosted_effects& effects_;
    std::unordered_map<object_id, std::unique_ptr<object>> objects_;
    std::unordered_map<client_id, client_state> clients_;
    std::map<std::string, object_id, std::less<>> names_;
    std::unordered_map<std::uint64_t, loan> loans_;
    std::unordered_map<std::uint64_t, early_ticket> early_;    // redeemed before they were lent
    std::multimap<clock::time_point, std::uint64_t> orphaned_; // loans of clients that have left
    std::set<std::tuple<clock::time_point, client_id, std::uint64_t>> deadlines_;
    clock::time_point now_{}; // of the latest event
    object_id next_id_ = 1;
    std::size_t parked_count_ = 0;
};

} // namespace coproc::detail
