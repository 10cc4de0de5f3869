// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Calling and sending, and the objects that a connection knows.

#include <manager/connection.hpp>

#include <coproc/detail/function_id.hpp>
#include <coproc/error.hpp>
#include <os/eventfd.hpp>
#include <os/system_call.hpp>
#include <src/fork_guard.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <manager/remote_handle.hpp>
#include <memory>
#include <poll.h>
#include <utility>

namespace coproc::detail {

namespace {

constexpr std::chrono::seconds redeeming_patience{10};

/// Gets the reply to a call that has given up, and owns itself from then on. The connection is kept
/// until there is that reply: what comes with it has to go back.
class late_reply final : public remote_waiter {
public:
    late_reply(std::shared_ptr<connection> over, connection::late_sink take) noexcept
        : over_{std::move(over)}, take_{std::move(take)} {}
    late_reply(const late_reply&) = delete;
    late_reply& operator=(const late_reply&) = delete;
    ~late_reply() = default;

    void on_reply(remote_reply&& reply) noexcept override {
        const std::unique_ptr<late_reply> self{this};
        if (take_) take_(std::move(reply));
    }
    void on_failure(std::exception_ptr) noexcept override { delete this; }

private:
    std::shared_ptr<connection> over_;
    connection::late_sink take_;
};

} // namespace

connection::connection(client_address address, open_connection&& from)
    : address_{std::move(address)},
      generation_{count_forks()},
      link_{from.link.release()},
      parser_{std::move(from.parser)},
      server_{std::move(from.server)},
      nudge_{os::make_eventfd()} {
    for (const int fd : {link_->socket(), link_->bell(), nudge_.get()})
        if (fd >= 0) keep_private(fd);
}

void connection::close_link::operator()(transport* link) const noexcept {
    for (const int fd : {link->socket(), link->bell()})
        if (fd >= 0) no_longer_private(fd);
    delete link;
}

connection::~connection() {
    if (!ours()) { // a copy: the reactor is another process's, and the descriptors are closed
        static_cast<void>(watch_.release());
        static_cast<void>(link_.release());
        static_cast<void>(nudge_.release());
        return;
    }
    no_longer_private(nudge_.get());
    nudge_.reset();
    if (watch_ == nullptr) return;
    // Its descriptors are the reactor's as long as it waits for them.
    boost::asio::post(reactor(), [watch = std::shared_ptr<watching>{std::move(watch_)},
                                  link = std::shared_ptr<transport>{std::move(link_)}] {
        watch->socket.release();
        if (watch->bell) watch->bell->release();
    });
}

void connection::require_ours() const {
    if (!ours())
        throw error{"coproc: this proxy came here by a fork; send it to the other process "
                    "instead, as an argument or through a queue"};
}

remote_reply connection::call(manager_op op, std::uint64_t object, const remote_payload& what,
                              std::uint64_t timeout) {
    require_ours();
    sync_wait own;
    std::unique_lock lock{mutex_};
    in_flight entry;
    entry.blocked = &own;
    wait_for_reply(lock, send_request(op, object, what, timeout, entry), own);
    if (!driving_) hand_over();
    if (own.error) std::rethrow_exception(own.error);
    return std::move(*own.reply);
}

remote_reply connection::call_within(manager_op op, std::uint64_t object,
                                     const remote_payload& what,
                                     std::chrono::nanoseconds patience) {
    late_sink late;
    if (refers(op))
        late = [this](remote_reply&& reply) noexcept {
            if (!reply.ok()) return;
            try {
                static_cast<void>(adopt(std::move(reply)));
            } catch (...) {
                // No memory: the server lets go of it with the connection.
            }
        };
    return call_or_give_up(op, object, what, wait_for_ever, deadline_after(patience),
                           std::move(late));
}

remote_reply connection::call_or_give_up(manager_op op, std::uint64_t object,
                                         const remote_payload& what, std::uint64_t timeout,
                                         steady::time_point until, late_sink take) {
    auto late = std::make_unique<late_reply>(shared_from_this(), std::move(take));
    auto reply = call_until(op, object, what, timeout, until, *late);
    if (reply) return std::move(*reply);
    static_cast<void>(late.release());
    throw timeout_error{timeout_error::waiting,
                        "coproc: the manager did not answer within the time given"};
}

std::optional<remote_reply> connection::call_until(manager_op op, std::uint64_t object,
                                                   const remote_payload& what,
                                                   std::uint64_t timeout, steady::time_point until,
                                                   remote_waiter& late) {
    require_ours();
    sync_wait own;
    own.until = until;
    std::unique_lock lock{mutex_};
    in_flight entry;
    entry.blocked = &own;
    const std::uint64_t id = send_request(op, object, what, timeout, entry);
    wait_for_reply(lock, id, own);
    if (own.done || own.error) {
        if (!driving_) hand_over();
        if (own.error) std::rethrow_exception(own.error);
        return std::move(own.reply);
    }
    const bool sent = give_up(op, id, late);
    try {
        if (!driving_) hand_over();
    } catch (...) {
        // No memory: the next request has the late reply taken, too.
    }
    lock.unlock();
    if (!sent) late.on_failure(nullptr);
    return std::nullopt;
}

void connection::wait_for_reply(std::unique_lock<std::mutex>& lock, std::uint64_t id,
                                sync_wait& own) {
    while (!own.done) {
        if (failure_) { // no reply can come any more
            in_flight_.erase(id);
            own.error = failure_;
            return;
        }
        if (own.is_late()) return;
        if (driving_)
            sleep_until_done_or_driving(lock, own);
        else
            drive(lock, own);
    }
}

bool connection::give_up(manager_op op, std::uint64_t id, remote_waiter& late) noexcept {
    // Whoever gives up unlocking does so because it will be done all the same.
    if (op != manager_op::mutex_unlock && out_.withdraw(id)) {
        in_flight_.erase(id);
        return false;
    }
    in_flight& entry = in_flight_.at(id);
    entry.blocked = nullptr;
    entry.waiter = &late;
    entry.unwanted = true;
    ++waiters_;
    if (!is_parked(op)) return true;
    try {
        frame_header header;
        header.op = static_cast<std::uint16_t>(manager_op::cancel);
        header.object = entry.object;
        header.id = id;
        push(header, {});
        flush();
        if (unsent() && driver_sleeps_) os::ring(nudge_.get());
    } catch (...) {
        // No memory: it waits in the server until it gets what it waits for, which then goes back.
    }
    return true;
}

std::uint64_t connection::start(manager_op op, std::uint64_t object, const remote_payload& what,
                                std::uint64_t timeout, remote_waiter& waiter) {
    require_ours();
    const std::scoped_lock lock{mutex_};
    in_flight entry;
    entry.waiter = &waiter;
    // First, because nothing may fail once the request is on its way; the reactor waits for the
    // lock.
    if (!driving_) keep_watch();
    const std::uint64_t id = send_request(op, object, what, timeout, entry);
    see_to_unsent();
    return id;
}

void connection::tell(manager_op op, std::uint64_t object, std::uint64_t request,
                      const remote_payload& what) noexcept {
    if (!ours()) return;
    try {
        const std::scoped_lock lock{mutex_};
        if (failure_) return;
        frame_header header;
        header.op = static_cast<std::uint16_t>(op);
        header.object = object;
        header.id = request;
        push(header, what);
        flush();
        see_to_unsent();
    } catch (...) {
        // The connection is gone, or there is no memory: the server forgets with the
        // connection.
    }
}

// --- objects -------------------------------------------------------------------------------------

std::shared_ptr<remote_target> connection::root() {
    return std::make_shared<server_root>(shared_from_this());
}

remote_ptr connection::adopt(remote_reply&& reply) {
    require_ok(reply);
    reader r = reply.in();
    const auto id = r.raw<std::uint64_t>();
    const auto kind = r.raw<hosted_kind>();
    auto type = decode<std::string>(r);
    std::shared_ptr<remote_handle> present;
    {
        const std::scoped_lock lock{mutex_};
        auto& known = handles_[id];
        present = known.lock();
        if (present == nullptr) {
            auto fresh =
                std::make_shared<remote_handle>(shared_from_this(), id, kind, std::move(type));
            known = fresh;
            return fresh;
        }
    }
    tell(manager_op::release, id, 0, {}); // one reference for all proxies of a process
    return present;
}

remote_ptr connection::redeem(std::uint64_t object, std::uint64_t ticket) {
    require_ours();
    std::uint64_t before = 0;
    std::chrono::nanoseconds patience = redeeming_patience;
    {
        const std::scoped_lock lock{mutex_};
        before = replies_;
        if (before == stuck_at_) patience = {};
    }
    try {
        return adopt(call_within(manager_op::redeem, object, pack(ticket), patience));
    } catch (const timeout_error&) {
        const std::scoped_lock lock{mutex_};
        stuck_at_ = before;
    }
    throw timeout_error{timeout_kind::waiting,
                        "coproc: a proxy came in a message, but its manager at " +
                            address_.endpoint + " does not answer (is its process stopped?)"};
}

void connection::forget(std::uint64_t id) noexcept {
    if (!ours()) return;
    {
        const std::scoped_lock lock{mutex_};
        const auto found = handles_.find(id);
        if (found != handles_.end() && found->second.expired()) handles_.erase(found);
    }
    tell(manager_op::release, id, 0, {});
}

std::uint64_t connection::number_of(const remote_object& object) const noexcept {
    const auto* const handle = dynamic_cast<const remote_handle*>(&object);
    if (handle == nullptr) return 0;
    const connection& holder = *handle->over();
    return holder.server_.instance == server_.instance ? handle->id() : 0;
}

// --- the server ----------------------------------------------------------------------------------

bool connection::same_build() const noexcept { return server_.build_id == program_build_id(); }

bool connection::usable() {
    if (!ours()) return false;
    const std::scoped_lock lock{mutex_};
    if (failure_) return false;
    // A connection that nobody uses learns of its end only now.
    pollfd entry{link_->socket(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) == 0;
}

void connection::explain_end(std::function<std::string()> how) {
    const std::scoped_lock lock{mutex_};
    how_it_ended_ = std::move(how);
}

// --- sending, under the lock ---------------------------------------------------------------------

std::uint64_t connection::send_request(manager_op op, std::uint64_t object,
                                       const remote_payload& what, std::uint64_t timeout,
                                       const in_flight& entry) {
    if (failure_) std::rethrow_exception(failure_);
    if (!what.descriptors.empty() && !link_->carries_descriptors()) link_->send_descriptors({});
    if (what.descriptors.size() > transport::most_descriptors)
        throw serialization_error{"coproc: a message to a manager can carry 250 descriptors"};
    frame_header header;
    header.op = static_cast<std::uint16_t>(op);
    header.object = object;
    header.timeout = timeout;
    header.status = what.tickets;
    header.id = next_request_++;
    in_flight own = entry;
    own.object = object;
    own.takes = takes(op);
    own.acknowledge = op == manager_op::queue_get;
    in_flight_.emplace(header.id, own);
    if (own.waiter != nullptr) ++waiters_;
    try {
        push(header, what);
    } catch (...) {
        in_flight_.erase(header.id);
        if (own.waiter != nullptr) --waiters_;
        throw;
    }
    flush();
    if (unsent() && driver_sleeps_) os::ring(nudge_.get());
    return header.id;
}

void connection::push(const frame_header& header, const remote_payload& what) {
    shared_fds descriptors;
    for (const int fd : what.descriptors)
        descriptors.push_back(std::make_shared<const os::unique_fd>(
            os::unique_fd{os::check(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor")}));
    out_.push(header, what.bytes, std::move(descriptors));
}

void connection::flush() noexcept {
    try {
        static_cast<void>(out_.flush(*link_)); // an end is noticed by whoever reads
    } catch (...) {
        // It is still unsent.
    }
}

void connection::see_to_unsent() noexcept {
    if (!unsent()) return;
    if (driver_sleeps_) os::ring(nudge_.get());
    if (driving_) return; // who drives looks before it sleeps or leaves
    try {
        keep_watch();
    } catch (...) {
        // No memory: it goes with the next request.
    }
}

} // namespace coproc::detail
