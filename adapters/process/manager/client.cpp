// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/client.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/error.hpp>
#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/spin.hpp>
#include <os/system_call.hpp>
#include <src/fork_guard.hpp>
#include <src/reactor.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <manager/authentication.hpp>
#include <manager/frame_sender.hpp>
#include <manager/open_connection.hpp>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <poll.h>
#include <unordered_map>
#include <vector>

namespace coproc::detail {
namespace {

namespace asio = boost::asio;
using descriptor = asio::posix::stream_descriptor;

/// What a request in flight leads to.
struct sync_wait {
    std::optional<remote_reply> reply{};
    std::exception_ptr error{};
    bool done = false;
    bool may_drive = false;
    std::condition_variable woken{};
};
struct in_flight {
    sync_wait* blocked = nullptr;
    remote_waiter* waiter = nullptr;
    bool acknowledge = false;
};

class connection;

class remote_handle final : public remote_object {
public:
    remote_handle(std::shared_ptr<connection> over, std::uint64_t id, hosted_kind kind,
                  std::string type)
        : over_{std::move(over)}, id_{id}, kind_{kind}, type_{std::move(type)} {}
    ~remote_handle() override;

    remote_reply call(manager_op op, const remote_payload& what,
                      std::uint64_t timeout) const override;
    std::uint64_t start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                        remote_waiter& waiter) const override;
    void cancel(std::uint64_t request) const noexcept override;
    void give_back(const remote_payload& what) const noexcept override;
    [[nodiscard]] bool same_build() const noexcept override;
    [[nodiscard]] hosted_kind kind() const noexcept override { return kind_; }
    [[nodiscard]] const std::string& type() const noexcept override { return type_; }
    void size(sizer& s) const override;
    void encode(writer& w) const override;

    [[nodiscard]] const connection* over() const noexcept { return over_.get(); }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

private:
    std::shared_ptr<connection> over_;
    std::uint64_t id_;
    hosted_kind kind_;
    std::string type_;
};

class connection final : public manager_client, public std::enable_shared_from_this<connection> {
public:
    connection(client_address address, open_connection&& from)
        : address_{std::move(address)},
          generation_{count_forks()},
          link_{std::move(from.link)},
          parser_{std::move(from.parser)},
          server_{std::move(from.server)},
          nudge_{os::make_eventfd()} {
        for (const int fd : {link_->socket(), link_->bell(), nudge_.get()})
            if (fd >= 0) keep_private(fd);
    }
    ~connection() override {
        for (const int fd : {link_->socket(), link_->bell(), nudge_.get()})
            if (fd >= 0) no_longer_private(fd);
        if (!ours()) { // a copy: the reactor is another process's, and the descriptors are closed
            static_cast<void>(watch_.release());
            static_cast<void>(link_.release());
            static_cast<void>(nudge_.release());
            return;
        }
        if (watch_ == nullptr) return;
        // Its descriptors are the reactor's as long as it waits for them.
        asio::post(reactor(), [watch = std::shared_ptr<watching>{std::move(watch_)},
                               link = std::shared_ptr<transport>{std::move(link_)}] {
            watch->socket.release();
            if (watch->bell) watch->bell->release();
        });
    }

    remote_reply call(manager_op op, std::uint64_t object, const remote_payload& what,
                      std::uint64_t timeout) override {
        sync_wait own;
        std::unique_lock lock{mutex_};
        in_flight entry;
        entry.blocked = &own;
        send_request(lock, op, object, what, timeout, entry);
        while (!own.done) {
            if (!driving_) {
                drive(lock, own);
                continue;
            }
            sleepers_.push_back(&own);
            own.woken.wait(lock, [&] { return own.done || own.may_drive; });
            std::erase(sleepers_, &own);
            own.may_drive = false;
        }
        if (!driving_) hand_over(lock);
        if (own.error) std::rethrow_exception(own.error);
        return std::move(*own.reply);
    }

    std::uint64_t start(manager_op op, std::uint64_t object, const remote_payload& what,
                        std::uint64_t timeout, remote_waiter& waiter) {
        std::unique_lock lock{mutex_};
        in_flight entry;
        entry.waiter = &waiter;
        const std::uint64_t id = send_request(lock, op, object, what, timeout, entry);
        if (!driving_) keep_watch();
        return id;
    }

    void tell(manager_op op, std::uint64_t object, std::uint64_t request,
              const remote_payload& what) noexcept override {
        try {
            const std::unique_lock lock{mutex_};
            if (failure_ || !ours()) return;
            frame_header header;
            header.op = static_cast<std::uint16_t>(op);
            header.object = object;
            header.id = request;
            send(header, what);
        } catch (...) {
            // The connection is gone, or there is no memory: the server forgets with the
            // connection.
        }
    }

    remote_ptr adopt(remote_reply&& reply) override {
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
    void forget(std::uint64_t id) noexcept {
        {
            const std::scoped_lock lock{mutex_};
            const auto found = handles_.find(id);
            if (found != handles_.end() && found->second.expired()) handles_.erase(found);
        }
        tell(manager_op::release, id, 0, {});
    }

    [[nodiscard]] bool same_build() const noexcept override {
        return server_.build_id == program_build_id();
    }
    [[nodiscard]] std::int32_t server_pid() const noexcept override {
        return static_cast<std::int32_t>(server_.pid);
    }
    [[nodiscard]] bool alive() noexcept override { return usable(); }
    [[nodiscard]] const client_address& address() const noexcept override { return address_; }
    void explain_end(std::function<std::string()> how) override {
        const std::scoped_lock lock{mutex_};
        how_it_ended_ = std::move(how);
    }
    [[nodiscard]] std::uint64_t number_of(const remote_object& object) const noexcept override {
        const auto* const handle = dynamic_cast<const remote_handle*>(&object);
        return handle != nullptr && handle->over() == this ? handle->id() : 0;
    }
    [[nodiscard]] bool usable() {
        const std::scoped_lock lock{mutex_};
        if (failure_ || !ours()) return false;
        // A connection that nobody uses learns of its end only now.
        pollfd entry{link_->socket(), POLLRDHUP, 0};
        return ::poll(&entry, 1, 0) == 0;
    }
    [[nodiscard]] bool ours() const noexcept { return generation_ == count_forks(); }

private:
    struct watching {
        explicit watching(asio::io_context& context, const transport& link)
            : socket{context, link.socket()} {
            if (link.bell() >= 0) bell.emplace(context, link.bell());
        }
        descriptor socket;
        std::optional<descriptor> bell;
        // How many of the waits are under way. Guarded by the connection's mutex.
        bool on_socket = false;
        bool on_bell = false;
    };

    // --- sending, under the lock -------------------------------------------------------------------

    std::uint64_t send_request(std::unique_lock<std::mutex>& lock, manager_op op,
                               std::uint64_t object, const remote_payload& what,
                               std::uint64_t timeout, const in_flight& entry) {
        if (!ours())
            throw error{"coproc: this proxy came here by a fork; send it to the other process "
                        "instead, as an argument or through a queue"};
        if (failure_) std::rethrow_exception(failure_);
        if (!what.descriptors.empty() && !link_->carries_descriptors()) link_->send_descriptors({});
        if (what.descriptors.size() > transport::most_descriptors)
            throw serialization_error{"coproc: a message to a manager can carry 250 descriptors"};
        frame_header header;
        header.op = static_cast<std::uint16_t>(op);
        header.object = object;
        header.timeout = timeout;
        header.id = next_request_++;
        in_flight own = entry;
        own.acknowledge = op == manager_op::queue_get;
        in_flight_.emplace(header.id, own);
        if (own.waiter != nullptr) ++waiters_;
        try {
            send(header, what);
        } catch (...) {
            in_flight_.erase(header.id);
            if (own.waiter != nullptr) --waiters_;
            throw;
        }
        if (!out_.empty() && driver_sleeps_) os::ring(nudge_.get());
        static_cast<void>(lock);
        return header.id;
    }
    void send(const frame_header& header, const remote_payload& what) {
        shared_fds descriptors;
        for (const int fd : what.descriptors)
            descriptors.push_back(std::make_shared<const os::unique_fd>(os::unique_fd{
                os::check(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor")}));
        out_.push(header, what.bytes, std::move(descriptors));
        static_cast<void>(out_.flush(*link_)); // an end is noticed by whoever reads
    }

    // --- receiving: the driver only ------------------------------------------------------------------

    /// Serves the connection until the own reply is there. Unlocks meanwhile.
    void drive(std::unique_lock<std::mutex>& lock, const sync_wait& own) {
        driving_ = true;
        link_->disarm(); // the reactor need not be told of what is read here
        try {
            while (!own.done) {
                lock.unlock();
                const bool any = receive(&own);
                lock.lock();
                if (any || own.done) continue;
                if (!out_.empty() && !out_.flush(*link_)) end_of_connection();
                if (link_->spins()) {
                    lock.unlock();
                    const bool ready = os::spin_for(spin_.ns(), [this] { return link_->ready(); });
                    lock.lock();
                    if (ready) {
                        spin_.paid();
                        continue;
                    }
                    spin_.was_in_vain();
                }
                if (link_->arm(true, !out_.empty())) continue;
                driver_sleeps_ = true;
                const bool writing = !out_.empty();
                lock.unlock();
                const std::uint64_t since = os::monotonic_ns();
                wait_for(*link_, std::nullopt, writing, nudge_.get());
                lock.lock();
                driver_sleeps_ = false;
                spin_.slept(os::monotonic_ns() - since);
                link_->disarm();
                link_->quiet();
                os::quiet(nudge_.get());
                if (!link_->ready() && link_->peer_gone() && !link_->ready()) end_of_connection();
            }
        } catch (...) {
            if (!lock.owns_lock()) lock.lock();
            fail_all(lock, std::current_exception());
        }
        driving_ = false;
    }

    [[noreturn]] void end_of_connection() const {
        std::string text = "coproc: the manager at " + address_.endpoint +
                           " has ended, or the connection to it was lost";
        throw end_of_stream_error{text};
    }

    /// What is there, until the own reply has come. True if there was anything.
    bool receive(const sync_wait* own) {
        bool any = false;
        frame next;
        for (;;) {
            while (parser_.next(next)) {
                any = true;
                deliver(next);
                if (own != nullptr && own->done) return true; // only this thread sets it now
            }
            const auto got = link_->read(parser_.room());
            parser_.filled(got.bytes);
            if (got.end) end_of_connection();
            if (got.bytes == 0) return any;
            any = true;
        }
    }

    void deliver(frame& in) {
        if (in.op() == manager_op::refused) {
            reader r{in.payload};
            decode<bool>(r);
            throw end_of_stream_error{decode<std::string>(r)};
        }
        if (in.op() != manager_op::reply)
            throw protocol_error{"coproc: the manager sent what no manager sends"};
        std::vector<int> descriptors;
        remote_reply reply{static_cast<manager_status>(in.header.status), std::move(in.payload),
                           take_descriptors(in.header.descriptors)};
        in_flight to;
        {
            const std::scoped_lock lock{mutex_};
            const auto found = in_flight_.find(in.header.id);
            if (found == in_flight_.end())
                throw protocol_error{"coproc: the manager answers what nobody asked"};
            to = found->second;
            in_flight_.erase(found);
            if (to.acknowledge && reply.ok()) {
                frame_header header;
                header.op = static_cast<std::uint16_t>(manager_op::acknowledge);
                header.id = in.header.id;
                send(header, {});
            }
            if (to.blocked != nullptr) {
                to.blocked->reply = std::move(reply);
                to.blocked->done = true;
                to.blocked->woken.notify_one();
                return;
            }
            --waiters_;
        }
        to.waiter->on_reply(std::move(reply));
    }
    std::vector<int> take_descriptors(std::uint32_t count) {
        std::vector<int> result;
        for (std::uint32_t i = 0; i != count; ++i) {
            os::unique_fd next = link_->take_descriptor();
            if (!next) throw protocol_error{"coproc: a descriptor of a message is missing"};
            result.push_back(next.release());
        }
        return result;
    }

    static std::exception_ptr explain(std::exception_ptr why,
                                      const std::function<std::string()>& how) noexcept {
        try {
            try {
                std::rethrow_exception(why);
            } catch (const end_of_stream_error&) {
                const std::string text = how();
                if (!text.empty()) return std::make_exception_ptr(end_of_stream_error{text});
            }
        } catch (...) {
            // Says enough by itself.
        }
        return why;
    }

    void fail_all(std::unique_lock<std::mutex>& lock, std::exception_ptr why) {
        // Another thread may have met the end, too, and be about to learn how it came.
        explained_.wait(lock, [this] { return !explaining_; });
        if (failure_) {
            why = failure_;
        } else if (how_it_ended_) {
            const auto how = std::exchange(how_it_ended_, {});
            explaining_ = true;
            lock.unlock();
            why = explain(std::move(why), how);
            lock.lock();
            explaining_ = false;
            explained_.notify_all();
        }
        failure_ = why;
        auto all = std::exchange(in_flight_, {});
        waiters_ = 0;
        for (auto& [id, to] : all)
            if (to.blocked != nullptr) {
                to.blocked->error = why;
                to.blocked->done = true;
                to.blocked->woken.notify_one();
            }
        lock.unlock();
        for (auto& [id, to] : all)
            if (to.waiter != nullptr) to.waiter->on_failure(why);
        lock.lock();
    }

    /// Whoever has driven leaves: another one that blocks goes on, or the reactor does.
    void hand_over(std::unique_lock<std::mutex>&) {
        if (!sleepers_.empty()) {
            sleepers_.back()->may_drive = true;
            sleepers_.back()->woken.notify_one();
        } else if (waiters_ != 0) {
            keep_watch();
        }
    }

    // --- the reactor ---------------------------------------------------------------------------------

    /// Sees to it that the reactor takes the replies. Under the lock.
    void keep_watch() {
        const bool waiting =
            watch_ != nullptr && watch_->on_socket && (!watch_->bell || watch_->on_bell);
        // Whoever drove stopped at its own reply: more may have been read with it, of which the
        // reactor will not hear.
        if (waiting && out_.empty() && !parser_.midway() && !link_->arm(true, false)) return;
        asio::post(reactor(), [self = weak_from_this()] {
            if (const auto alive = self.lock()) alive->watch();
        });
    }

    /// On the reactor: reads what is there, then waits for more.
    void watch() {
        std::unique_lock lock{mutex_};
        if (driving_ || failure_ || !ours()) return; // whoever drives hands over
        driving_ = true;
        try {
            for (;;) {
                lock.unlock();
                const bool any = receive(nullptr);
                lock.lock();
                if (any) continue;
                if (!out_.empty() && !out_.flush(*link_)) end_of_connection();
                if (waiters_ == 0 || !sleepers_.empty()) break;
                if (watch_ == nullptr) watch_ = std::make_unique<watching>(reactor(), *link_);
                wait_on(watch_->socket, watch_->on_socket, false);
                if (watch_->bell) wait_on(*watch_->bell, watch_->on_bell, true);
                if (!link_->arm(true, !out_.empty())) break;
            }
        } catch (...) {
            if (!lock.owns_lock()) lock.lock();
            fail_all(lock, std::current_exception());
        }
        driving_ = false;
        hand_over_from_reactor();
    }
    void hand_over_from_reactor() {
        if (sleepers_.empty()) return;
        sleepers_.back()->may_drive = true;
        sleepers_.back()->woken.notify_one();
    }
    void wait_on(descriptor& what, bool& under_way, bool is_bell) {
        if (!is_bell && link_->bell() < 0 && !out_.empty() && !waits_to_write_) {
            waits_to_write_ = true;
            what.async_wait(descriptor::wait_write, [self = weak_from_this()](auto error) {
                const auto alive = self.lock();
                if (error || alive == nullptr) return;
                {
                    const std::scoped_lock lock{alive->mutex_};
                    alive->waits_to_write_ = false;
                }
                alive->watch();
            });
        }
        if (under_way) return;
        under_way = true;
        what.async_wait(descriptor::wait_read, [self = weak_from_this(), is_bell](auto error) {
            const auto alive = self.lock();
            if (error || alive == nullptr) return;
            alive->woken(is_bell);
        });
    }
    void woken(bool is_bell) {
        {
            std::unique_lock lock{mutex_};
            (is_bell ? watch_->on_bell : watch_->on_socket) = false;
            if (driving_ || failure_) return;
            link_->disarm();
            link_->quiet();
            try {
                if (!is_bell && link_->bell() >= 0 && link_->peer_gone() && !link_->ready())
                    end_of_connection();
            } catch (...) {
                fail_all(lock, std::current_exception());
                return;
            }
        }
        watch();
    }

    client_address address_;
    unsigned generation_;
    std::unique_ptr<transport> link_;
    frame_parser parser_; // the driver's
    manager_peer server_;
    os::unique_fd nudge_; // wakes a driver that sleeps: there is something to write

    std::mutex mutex_; // of what follows
    frame_sender out_;
    std::unordered_map<std::uint64_t, in_flight> in_flight_;
    std::unordered_map<std::uint64_t, std::weak_ptr<remote_handle>> handles_;
    std::vector<sync_wait*> sleepers_;
    std::uint64_t next_request_ = 1;
    std::size_t waiters_ = 0; // of those in flight: nobody blocks for them
    bool driving_ = false;
    bool driver_sleeps_ = false;
    bool waits_to_write_ = false;
    std::exception_ptr failure_;
    std::function<std::string()> how_it_ended_;
    bool explaining_ = false;
    std::condition_variable explained_;
    std::unique_ptr<watching> watch_;
    spin_budget spin_;
};

remote_handle::~remote_handle() { over_->forget(id_); }

remote_reply remote_handle::call(manager_op op, const remote_payload& what,
                                 std::uint64_t timeout) const {
    return over_->call(op, id_, what, timeout);
}
std::uint64_t remote_handle::start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                                   remote_waiter& waiter) const {
    return over_->start(op, id_, what, timeout, waiter);
}
void remote_handle::cancel(std::uint64_t request) const noexcept {
    over_->tell(manager_op::cancel, id_, request, {});
}
void remote_handle::give_back(const remote_payload& what) const noexcept {
    over_->tell(manager_op::give_back, id_, 0, what);
}
bool remote_handle::same_build() const noexcept { return over_->same_build(); }

void remote_handle::size(sizer& s) const {
    detail::size(s, over_->address());
    s.bytes(2 * sizeof(std::uint64_t));
}
void remote_handle::encode(writer& w) const {
    static constexpr std::size_t ticket_size = sizeof(std::uint64_t);
    const nonce random = make_nonce();
    std::uint64_t ticket = 0;
    std::memcpy(&ticket, random.data(), ticket_size);
    over_->tell(manager_op::lend, id_, 0, pack(ticket));
    detail::encode(w, over_->address());
    w.raw(id_);
    w.raw(ticket);
}

// --- the connections of this process -------------------------------------------------------------

struct connections {
    std::mutex mutex;
    std::map<client_address, std::weak_ptr<connection>> open;
};

connections& all_connections() {
    static connections* const instance = [] {
        on_fork_in_child([]() noexcept { ::new (&all_connections()) connections; });
        return new connections;
    }();
    return *instance;
}

const made_before_main made_early{all_connections};

constexpr std::chrono::seconds decoding_patience{10};

} // namespace

std::shared_ptr<manager_client> manager_client::get(const client_address& address,
                                                    std::chrono::nanoseconds timeout) {
    connections& all = all_connections();
    const auto present = [&]() -> std::shared_ptr<connection> {
        const auto found = all.open.find(address);
        if (found == all.open.end()) return nullptr;
        auto alive = found->second.lock();
        return alive != nullptr && alive->usable() ? alive : nullptr;
    };
    {
        const std::scoped_lock lock{all.mutex};
        if (auto found = present()) return found;
    }
    auto fresh = std::make_shared<connection>(address, connect_to_manager(address, timeout));
    const std::scoped_lock lock{all.mutex};
    if (auto found = present()) return found; // another thread was faster
    std::erase_if(all.open, [](const auto& each) { return each.second.expired(); });
    all.open.insert_or_assign(address, fresh);
    return fresh;
}

remote_ptr decode_remote(reader& r, const std::string& type) {
    const auto address = decode<client_address>(r);
    const auto id = r.raw<std::uint64_t>();
    const auto ticket = r.raw<std::uint64_t>();
    const auto client = manager_client::get(address, decoding_patience);
    auto object = client->adopt(client->call(manager_op::redeem, id, pack(ticket)));
    require_type(*object, type);
    return object;
}

} // namespace coproc::detail
