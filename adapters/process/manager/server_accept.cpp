// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How clients come in: accepted, and timed until they have proved the key.

#include <os/pidfd.hpp>
#include <os/system_call.hpp>

#include <cerrno>
#include <manager/address.hpp>
#include <manager/manager_server.hpp>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace coproc::detail {
namespace {

bool same_user(int socket, ucred& who) noexcept {
    socklen_t size = sizeof who;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
           (who.uid == ::geteuid() || who.uid == 0);
}

} // namespace

void manager_server::accept_on(listener& on, bool local) {
    on.wait.async_wait(descriptor::wait_read, [this, &on, local](auto error) {
        if (error) return;
        const bool room = accept_all(on, local);
        if (room) return accept_on(on, local);
        // No descriptor left: whoever ends gives one back; look again then, or in a while.
        on.pause.expires_after(std::chrono::milliseconds{100});
        on.pause.async_wait([this, &on, local](auto) { accept_on(on, local); });
    });
}

bool manager_server::accept_all(listener& on, bool local) {
    for (int i = 0; i != reads_in_a_row; ++i) {
        os::unique_fd socket{os::retry([&] {
            return ::accept4(on.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        })};
        if (!socket) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
                return true;
            if (strangers_.empty()) return false;
            refuse_and_close(strangers_.front(), "coproc: the manager has too many connections");
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

void manager_server::admit(os::unique_fd socket, bool local, pid_t peer) {
    // The newest are the ones that are about to prove the key.
    if (strangers_.size() >= settings_.most_strangers)
        refuse_and_close(strangers_.front(),
                         "coproc: the manager has too many connections that have "
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
    const auto s = std::make_shared<session>(next_client_++, std::move(link), local,
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

void manager_server::watch_process(const session_ptr& s, pid_t peer) {
    s->process = os::open_pidfd(peer);
    s->end.emplace(context_, s->process.get());
    wait_for_end(s);
}

void manager_server::wait_for_end(const session_ptr& s) {
    s->end->async_wait(descriptor::wait_read, [this, s](auto error) {
        if (error || s->closed) return;
        if (!os::has_ended(s->process.get())) return wait_for_end(s);
        close_after_last_words(s);
    });
}

void manager_server::set_timer() {
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
            refuse_and_close(strangers_.front(), "coproc: the key was not proved in time");
        set_timer();
    });
}

} // namespace coproc::detail
