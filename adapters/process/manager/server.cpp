// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/server.hpp>

#include <coproc/detail/function_id.hpp>
#include <coproc/detail/remote.hpp>
#include <os/clock.hpp>
#include <os/pidfd.hpp>
#include <os/spin.hpp>
#include <os/system_call.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <deque>
#include <list>
#include <manager/address.hpp>
#include <manager/baton.hpp>
#include <manager/frame_sender.hpp>
#include <manager/hosted.hpp>
#include <manager/user_call.hpp>
#include <map>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coproc::detail {
namespace {

namespace asio = boost::asio;
using descriptor = asio::posix::stream_descriptor;
using clock = hosted_objects::clock;

/// A client that does not take its answers is not read from until it has.
constexpr std::size_t most_backlog = 8 << 20;
constexpr int reads_in_a_row = 64;

struct session {
    session(client_id number, std::unique_ptr<transport> over, bool on_this_machine,
            const std::string& key)
        : id{number}, link{std::move(over)}, local{on_this_machine}, greeting{key} {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() {
        for (auto* each : {&socket, &bell, &end})
            if (*each) (*each)->release(); // somebody else's to close
    }

    client_id id;
    std::unique_ptr<transport> link;
    bool local;
    server_authentication greeting;
    tls_transport* tls = nullptr; // until it is secured
    frame_parser parser;
    frame_sender out;
    std::optional<descriptor> socket;
    std::optional<descriptor> bell;
    os::unique_fd process; // of a client on this machine
    std::optional<descriptor> end;
    clock::time_point deadline{}; // to prove the key
    bool open = false;            // has proved it
    bool closed = false;
    bool hot = false; // has rings, and is looked at without being asked to
    bool waits_to_read = false;
    bool waits_to_write = false;
};
using session_ptr = std::shared_ptr<session>;

struct pending_call {
    hosted_request request;
    std::shared_ptr<user_object> object;
};

} // namespace

class manager_server final : public std::enable_shared_from_this<manager_server>,
                             private hosted_effects {
public:
    manager_server(server_settings settings, os::unique_fd local, os::unique_fd remote)
        : settings_{std::move(settings)},
          objects_{*this},
          baton_{{[this](bool taken_over) { lead(taken_over); }, [this] { interrupt(); }}} {
        local_ = std::make_unique<listener>(context_, std::move(local));
        if (remote) remote_ = std::make_unique<listener>(context_, std::move(remote));
        if (settings_.tls) {
            tls_files files;
            files.certificate = settings_.certificate;
            files.private_key = settings_.private_key;
            files.authorities = settings_.authorities;
            files.verify_peer = settings_.verify_peer;
            tls_ = make_tls_context(files, true);
        }
    }

    void serve() {
        accept_on(*local_, true);
        if (remote_) accept_on(*remote_, false);
        baton_.take_part(true, shared_from_this());
        // Whoever leads now is this thread, or nobody.
    }
    void stop() { baton_.stop(); }

private:
    struct listener {
        listener(asio::io_context& context, os::unique_fd on)
            : socket{std::move(on)}, wait{context, socket.get()}, pause{context} {}
        ~listener() { wait.release(); }
        listener(const listener&) = delete;
        listener& operator=(const listener&) = delete;

        os::unique_fd socket;
        descriptor wait;
        asio::steady_timer pause;
    };

    // --- the loop ----------------------------------------------------------------------------------

    void interrupt() {
        asio::post(context_, [] {});
    }

    void lead(bool taken_over) {
        if (taken_over) { // where the former leader got stuck
            if (const session_ptr s = std::exchange(serving_, nullptr)) {
                if (!serve_session(s)) return;
            }
            if (const session_ptr s = std::exchange(ending_, nullptr)) {
                close_after_last_words(s);
                if (baton::lost()) return;
            }
        }
        while (!baton_.stopped()) {
            if (hot_.empty()) {
                if (!run_one()) return;
                continue;
            }
            bool found = false;
            if (!os::spin_for(spin_.ns(), [&] { return (found = any_hot_ready()); })) {
                spin_.was_in_vain();
                cool_down();
                if (hot_.empty()) cold_since_ = os::monotonic_ns();
            } else {
                spin_.paid();
            }
            if (!serve_hot()) return; // also those that had no room for their answers
            // Others must not starve; and if there is nothing else, this costs half a microsecond.
            if (++rounds_ % 16 == 0 || !found)
                if (!poll_one()) return;
        }
    }

    bool any_hot_ready() {
        return std::any_of(hot_.begin(), hot_.end(),
                           [](const session_ptr& s) { return s->link->ready(); });
    }
    /// False: the lead is lost.
    bool serve_hot() {
        for (std::size_t i = 0; i < hot_.size(); ++i) {
            const session_ptr s = hot_[i];
            if (!s->link->ready() && s->out.empty()) continue;
            if (!serve_session(s)) return false;
            if (i < hot_.size() && hot_[i] != s) --i; // it was taken off the list
        }
        return true;
    }
    void cool_down() {
        for (std::size_t i = 0; i < hot_.size();) {
            const session_ptr& s = hot_[i];
            const bool reading = s->out.backlog() < most_backlog;
            if (s->link->arm(reading, !s->out.empty())) {
                ++i;
            } else {
                s->hot = false;
                hot_.erase(hot_.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
    }
    bool run_one() {
        context_.run_one();
        if (context_.stopped()) context_.restart();
        return !baton::lost();
    }
    bool poll_one() {
        context_.poll_one();
        if (context_.stopped()) context_.restart();
        return !baton::lost();
    }

    // --- accepting ---------------------------------------------------------------------------------

    void accept_on(listener& on, bool local) {
        on.wait.async_wait(descriptor::wait_read, [this, &on, local](auto error) {
            if (error) return;
            const bool room = accept_all(on, local);
            if (room) return accept_on(on, local);
            // No descriptor left: whoever ends gives one back; look again then, or in a while.
            on.pause.expires_after(std::chrono::milliseconds{100});
            on.pause.async_wait([this, &on, local](auto) { accept_on(on, local); });
        });
    }
    bool accept_all(listener& on, bool local) {
        for (int i = 0; i != reads_in_a_row; ++i) {
            os::unique_fd socket{os::retry([&] {
                return ::accept4(on.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            })};
            if (!socket) {
                if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
                    return true;
                if (strangers_.empty()) return false;
                turn_away(strangers_.front(), "coproc: the manager has too many connections");
                continue;
            }
            ucred peer{};
            if (local && !same_user(socket.get(), peer)) continue;
            try {
                admit(std::move(socket), local, peer.pid);
            } catch (const std::exception&) {
                // Not this one, then.
            }
        }
        return true;
    }
    static bool same_user(int socket, ucred& who) noexcept {
        socklen_t size = sizeof who;
        return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
               (who.uid == ::geteuid() || who.uid == 0);
    }
    void admit(os::unique_fd socket, bool local, pid_t peer) {
        // The newest are the ones that are about to prove the key.
        if (strangers_.size() >= settings_.most_strangers)
            turn_away(strangers_.front(), "coproc: the manager has too many connections that have "
                                          "not proved the key");
        std::unique_ptr<transport> link;
        tls_transport* tls = nullptr;
        if (local) {
            link = make_socket_transport(std::move(socket), true);
        } else {
            prepare_tcp(socket.get());
            if (tls_ != nullptr) {
                auto secured = make_tls_transport(std::move(socket), tls_);
                tls = secured.get();
                link = std::move(secured);
            } else {
                link = make_socket_transport(std::move(socket), false);
            }
        }
        const auto s =
            std::make_shared<session>(next_client_++, std::move(link), local,
                                      local ? settings_.local_key : settings_.remote_key);
        s->tls = tls;
        if (peer > 0) watch_process(s, peer);
        s->deadline = clock::now() + settings_.authentication_time;
        s->socket.emplace(context_, s->link->socket());
        sessions_.emplace(s->id, s);
        strangers_.push_back(s);
        set_timer();
        wait(s);
    }
    /// The end of the connection would come late, or never, if the client has forked meanwhile: the
    /// copy of its socket keeps it open.
    void watch_process(const session_ptr& s, pid_t peer) {
        s->process = os::open_pidfd(peer);
        s->end.emplace(context_, s->process.get());
        s->end->async_wait(descriptor::wait_read, [this, s](auto error) {
            if (!error && !s->closed) close_after_last_words(s);
        });
    }
    void turn_away(session_ptr s, const std::string& why) {
        s->out.push({0, static_cast<std::uint16_t>(manager_op::refused)},
                    refusal_frame(why, false).payload);
        try {
            s->out.flush(*s->link);
        } catch (const std::exception&) {
            // Best effort.
        }
        close(s);
    }

    // --- a session ---------------------------------------------------------------------------------

    /// Reads what is there and writes what can be written. False: the lead is lost, and the session
    /// with it.
    bool serve_session(const session_ptr& s) {
        if (s->closed) return true;
        serving_ = s;
        bool more = true; // to be read, or to be taken out of what was read
        try {
            for (int i = 0; i != reads_in_a_row && more && !s->closed; ++i) {
                if (!drain(s)) return false;
                if (s->closed || s->out.backlog() >= most_backlog) break;
                const auto got = s->link->read(s->parser.room());
                s->parser.filled(got.bytes);
                more = got.bytes != 0;
                if (got.end) close(s);
            }
            if (!s->closed && !drain(s)) return false;
            if (!s->closed && !s->out.flush(*s->link)) close(s);
        } catch (const protocol_error& e) {
            refuse_and_close(s, e.what());
        } catch (const std::exception&) { // no memory
            close(s);
        }
        // The socket may have nothing more to say when TLS, or the parser, still has.
        if (more && !s->closed && s->out.backlog() < most_backlog)
            asio::post(context_, [this, s] { serve_session(s); });
        serving_ = nullptr;
        if (!s->closed) wait(s);
        return true;
    }
    /// All whole frames. False: the lead is lost.
    bool drain(const session_ptr& s) {
        frame next;
        while (!s->closed && s->out.backlog() < most_backlog) {
            if (s->tls != nullptr && s->tls->secured()) {
                s->greeting.bind(s->tls->binding());
                s->tls = nullptr;
            }
            if (!s->parser.next(next)) return true;
            if (!s->open) {
                greet(s, next);
            } else {
                handle(s, next);
                if (baton::lost()) return false;
            }
        }
        return true;
    }
    void handle(const session_ptr& s, frame& in) {
        hosted_request request;
        request.client = s->id;
        request.header = in.header;
        request.payload = std::move(in.payload);
        for (std::uint32_t i = 0; i != in.header.descriptors; ++i) {
            os::unique_fd next = s->link->take_descriptor();
            if (!next) throw protocol_error{"coproc: a descriptor of a message is missing"};
            request.descriptors.push_back(std::make_shared<const os::unique_fd>(std::move(next)));
        }
        if (in.op() == manager_op::shutdown && !s->local)
            throw protocol_error{"coproc: a manager is shut down by the program that started it"};
        if ((in.op() == manager_op::make || in.op() == manager_op::call) &&
            s->greeting.peer().build_id != program_build_id()) {
            objects_.refuse(s->id, in.header.id, manager_status::unsupported, other_build_text);
            return;
        }
        // Only a wait with a limit needs to know the time.
        const bool timed =
            request.header.timeout != wait_for_ever && request.header.timeout != do_not_wait;
        objects_.handle(std::move(request), timed ? clock::now() : clock::time_point{});
        if (baton::lost()) return;
        if (timed) set_timer();
    }
    void greet(const session_ptr& s, const frame& in) {
        frame out = s->greeting.on_frame(in);
        ring_descriptors rings;
        shared_fds descriptors;
        if (s->greeting.done() && s->local) {
            rings = make_rings();
            for (const auto* each : {&rings.memory, &rings.server_bell, &rings.client_bell})
                descriptors.push_back(std::make_shared<const os::unique_fd>(each->duplicate()));
        }
        s->out.push(out.header, std::move(out.payload), std::move(descriptors));
        if (!s->out.flush(*s->link)) return close(s);
        if (s->greeting.rejected()) return close(s);
        if (!s->greeting.done()) return;
        s->open = true;
        std::erase(strangers_, s);
        const auto limit = static_cast<std::size_t>(settings_.most_message_bytes);
        if (s->local) {
            if (!s->out.empty()) return close(s); // a few bytes, and they did not fit
            s->link = make_ring_transport(std::move(s->link), std::move(rings), true);
            s->bell.emplace(context_, s->link->bell());
            s->parser.allow(limit, transport::most_descriptors);
            wait_for_bell(s);
            warm_up(s);
        } else {
            s->parser.allow(limit, 0);
        }
        objects_.enter(s->id);
    }
    void refuse_and_close(const session_ptr& s, const std::string& why) {
        try {
            s->out.push({0, static_cast<std::uint16_t>(manager_op::refused)},
                        refusal_frame(why, false).payload);
            s->out.flush(*s->link);
        } catch (const std::exception&) {
            // Best effort.
        }
        close(s);
    }
    void close(const session_ptr& s) {
        if (s->closed) return;
        s->closed = true;
        for (auto* each : {&s->socket, &s->bell, &s->end})
            if (*each) {
                (*each)->cancel();
                (*each)->release();
                each->reset();
            }
        // The peer has it at once; memory and descriptors when the last handler has let go.
        ::shutdown(s->link->socket(), SHUT_RDWR);
        std::erase(hot_, s);
        std::erase(strangers_, s);
        sessions_.erase(s->id);
        if (s->open) {
            objects_.leave(s->id, clock::now());
            set_timer();
        }
    }

    // --- waiting for clients -----------------------------------------------------------------------

    void warm_up(const session_ptr& s) {
        if (s->hot || s->closed) return;
        s->hot = true;
        hot_.push_back(s);
    }
    void wait(const session_ptr& s) {
        if (s->closed) return;
        if (s->bell) warm_up(s);
        if (!s->waits_to_read && (s->bell || s->out.backlog() < most_backlog)) {
            s->waits_to_read = true;
            s->socket->async_wait(descriptor::wait_read, [this, s](auto error) {
                s->waits_to_read = false;
                if (error || s->closed) return;
                if (s->bell)
                    look_for_end(s);
                else
                    serve_session(s);
            });
        }
        if (!s->bell && !s->waits_to_write && (!s->out.empty() || s->link->wants_to_write())) {
            s->waits_to_write = true;
            s->socket->async_wait(descriptor::wait_write, [this, s](auto error) {
                s->waits_to_write = false;
                if (!error && !s->closed) serve_session(s);
            });
        }
    }
    void wait_for_bell(const session_ptr& s) {
        s->bell->async_wait(descriptor::wait_read, [this, s](auto error) {
            if (error || s->closed) return;
            s->link->disarm();
            s->link->quiet();
            if (cold_since_ != 0) spin_.slept(os::monotonic_ns() - std::exchange(cold_since_, 0));
            wait_for_bell(s);
            warm_up(s);
            serve_session(s);
        });
    }
    /// The socket of a ring carries descriptors, and its end is the session's.
    void look_for_end(const session_ptr& s) {
        bool gone = true;
        try {
            gone = s->link->peer_gone();
        } catch (const std::exception&) {
            // It is, for us.
        }
        if (!gone) return wait(s);
        close_after_last_words(s);
    }
    void close_after_last_words(const session_ptr& s) {
        while (!s->closed && s->link->ready() && s->out.backlog() < most_backlog) {
            // Should a call in there cost this thread the lead, the next leader goes on here.
            ending_ = s;
            if (!serve_session(s)) return;
            ending_ = nullptr;
        }
        close(s);
    }

    void set_timer() {
        auto next = objects_.next_deadline();
        if (!strangers_.empty() && (!next || strangers_.front()->deadline < *next))
            next = strangers_.front()->deadline;
        if (!next || (timer_at_ && *timer_at_ <= *next)) return;
        timer_at_ = next;
        timer_.expires_at(*next);
        timer_.async_wait([this](auto error) {
            if (error) return;
            timer_at_.reset();
            const auto now = clock::now();
            objects_.expire(now);
            while (!strangers_.empty() && strangers_.front()->deadline <= now)
                turn_away(strangers_.front(), "coproc: the key was not proved in time");
            set_timer();
        });
    }

    // --- effects -----------------------------------------------------------------------------------

    void answer(client_id client, std::uint64_t request, hosted_answer&& what) override {
        const auto found = sessions_.find(client);
        if (found == sessions_.end() || found->second->closed) return;
        const session_ptr& s = found->second;
        frame_header header;
        header.op = static_cast<std::uint16_t>(manager_op::reply);
        header.status = static_cast<std::uint16_t>(what.status);
        header.id = request;
        if (what.descriptors.size() > transport::most_descriptors ||
            (!what.descriptors.empty() && !s->link->carries_descriptors())) {
            static constexpr std::string_view why =
                "coproc: the answer holds handles of the manager's machine, or more than 250";
            header.status = static_cast<std::uint16_t>(manager_status::unsupported);
            const auto* const text = reinterpret_cast<const std::byte*>(why.data());
            what.payload.assign(text, text + why.size());
            what.descriptors.clear();
        }
        s->out.push(header, std::move(what.payload), std::move(what.descriptors));
        if (serving_ == s && s->out.backlog() > 64 * 1024) return; // with what follows
        bool there = true;
        try {
            there = s->out.flush(*s->link);
        } catch (const std::exception&) {
            there = false;
        }
        if (!there || (serving_ != s && !s->out.empty())) {
            // Not from here: whoever called is in the middle of something.
            asio::post(context_, [this, s, there] {
                if (!there) return close(s);
                wait(s);
            });
        }
    }
    void shut_down() override { baton_.stop(); }

    void run(hosted_request&& request, std::shared_ptr<user_object> object, object_id lane_object,
             client_id lane_client) override {
        if (lane_object != 0) {
            const auto [present, fresh] = lanes_.try_emplace({lane_object, lane_client});
            if (!fresh) {
                present->second.push_back({std::move(request), std::move(object)});
                return;
            }
        }
        run_now({std::move(request), std::move(object)}, {lane_object, lane_client});
    }

    using lane = std::pair<object_id, client_id>;

    void run_now(pending_call call, lane in) {
        const std::uint64_t number = baton_.begin_call(shared_from_this());
        auto result = run_user_call(call.request, *call.object);
        if (baton_.end_call(number)) {
            finish(call, std::move(result), in);
            return;
        }
        // Another thread leads: it shall see to the rest.
        auto kept = std::make_shared<std::pair<pending_call, user_result>>(std::move(call),
                                                                           std::move(result));
        asio::post(context_,
                   [this, kept, in] { finish(kept->first, std::move(kept->second), in); });
    }
    void finish(pending_call& call, user_result result, lane in) {
        if (result.made)
            objects_.made(call.request.client, call.request.header.id, result.type,
                          std::move(call.object));
        else
            answer(call.request.client, call.request.header.id, std::move(result.answer));
        if (in.first == 0) return;
        const auto found = lanes_.find(in);
        while (!found->second.empty() && !sessions_.contains(found->second.front().request.client))
            found->second.pop_front();
        if (found->second.empty()) {
            lanes_.erase(found);
            return;
        }
        // Not here: lanes may be long, and others wait.
        asio::post(context_, [this, in] {
            auto& waiting = lanes_.at(in);
            pending_call next = std::move(waiting.front());
            waiting.pop_front();
            run_now(std::move(next), in);
        });
    }

    server_settings settings_;
    asio::io_context context_;
    std::shared_ptr<tls_context> tls_;
    std::unique_ptr<listener> local_;
    std::unique_ptr<listener> remote_;
    asio::steady_timer timer_{context_};
    std::optional<clock::time_point> timer_at_;
    hosted_objects objects_;
    std::map<client_id, session_ptr> sessions_;
    std::deque<session_ptr> strangers_; // oldest first
    std::vector<session_ptr> hot_;
    session_ptr serving_;
    session_ptr ending_;                             // has gone, and its last words are being heard
    std::map<lane, std::deque<pending_call>> lanes_; // those in use
    client_id next_client_ = 1;
    spin_budget spin_;
    std::uint64_t cold_since_ = 0;
    unsigned rounds_ = 0;
    baton baton_;
};

std::shared_ptr<manager_server> make_manager_server(server_settings settings, os::unique_fd local,
                                                    os::unique_fd remote) {
    return std::make_shared<manager_server>(std::move(settings), std::move(local),
                                            std::move(remote));
}

void serve(const std::shared_ptr<manager_server>& server) { server->serve(); }
void stop_manager(manager_server& server) { server.stop(); }

} // namespace coproc::detail
