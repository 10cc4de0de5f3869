// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A client's session: served, greeted, closed, and waited for.

#include <coproc/detail/function_id.hpp>
#include <coproc/detail/remote.hpp>
#include <os/clock.hpp>

#include <boost/asio/post.hpp>

#include <manager/manager_server.hpp>
#include <sys/socket.h>
#include <utility>

namespace coproc::detail {

bool manager_server::serve_session(const session_ptr& s) {
    if (s->closed) return true;
    serving_ = s;
    bool more = true; // to be read, or to be taken out of what was read
    try {
        for (int i = 0; i != reads_in_a_row && more && !s->closed; ++i) {
            if (!drain(s)) return false;
            if (s->closed || s->backlogged()) break;
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
    if (more && !s->closed && !s->backlogged())
        boost::asio::post(context_, [this, s] { serve_session(s); });
    serving_ = nullptr;
    if (!s->closed) wait(s);
    return true;
}

bool manager_server::drain(const session_ptr& s) {
    frame next;
    while (!s->closed && !s->backlogged()) {
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

void manager_server::handle(const session_ptr& s, frame& in) {
    hosted_request request;
    request.client = s->id;
    request.header = in.header;
    request.payload = std::move(in.payload);
    if (in.header.descriptors != 0) {
        try {
            for (auto& each : s->link->take_descriptors(in.header.descriptors))
                request.descriptors.push_back(
                    std::make_shared<const os::unique_fd>(std::move(each)));
        } catch (const serialization_error& e) {
            objects_.refuse(s->id, in.header.id, manager_status::unsupported,
                            std::string{e.what()} + " (the manager's)");
            return;
        }
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

void manager_server::greet(const session_ptr& s, const frame& in) {
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

// --- the end -------------------------------------------------------------------------------------

void manager_server::refuse_and_close(session_ptr s, const std::string& why) {
    try {
        s->out.push({0, static_cast<std::uint16_t>(manager_op::refused)},
                    refusal_frame(why, false).payload);
        s->out.flush(*s->link);
    } catch (const std::exception&) {
        // Best effort.
    }
    close(s);
}

void manager_server::close(const session_ptr& s) {
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

void manager_server::look_for_end(const session_ptr& s) {
    bool gone = true;
    try {
        gone = s->link->peer_gone();
    } catch (const std::exception&) {
        // It is, for us.
    }
    if (!gone) return wait(s);
    close_after_last_words(s);
}

void manager_server::close_after_last_words(const session_ptr& s) {
    while (!s->closed && s->link->ready() && !s->backlogged()) {
        // Should a call in there cost this thread the lead, the next leader goes on here.
        ending_ = s;
        if (!serve_session(s)) return;
        ending_ = nullptr;
    }
    close(s);
}

// --- waiting for clients -------------------------------------------------------------------------

void manager_server::warm_up(const session_ptr& s) {
    if (s->hot || s->closed) return;
    s->hot = true;
    hot_.push_back(s);
}

void manager_server::wait(const session_ptr& s) {
    if (s->closed) return;
    if (s->bell) warm_up(s);
    if (!s->waits_to_read && (s->bell || !s->backlogged())) {
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

void manager_server::wait_for_bell(const session_ptr& s) {
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

} // namespace coproc::detail
