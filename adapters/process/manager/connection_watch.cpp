// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What the reactor does for a connection: it drives while nobody blocks and a reply is awaited.

#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <manager/connection.hpp>

namespace coproc::detail {

void connection::keep_watch() {
    if (failure_ || !ours()) return;
    const bool waiting =
        watch_ != nullptr && watch_->on_socket && (!watch_->bell || watch_->on_bell);
    // Whoever drove stopped at its own reply: more may have been read with it, of which the
    // reactor will not hear.
    if (waiting && !unsent() && !parser_.midway() && !link_->arm(true, false)) return;
    boost::asio::post(reactor(), [self = weak_from_this()] {
        if (const auto alive = self.lock()) alive->watch();
    });
    live_until_sent();
}

void connection::live_until_sent() {
    until_sent_ = !failure_ && unsent() ? shared_from_this() : nullptr;
}

void connection::watch() {
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
            if ((waiters_ == 0 && !unsent()) || last_sleeper_ != nullptr) break;
            if (watch_ == nullptr) watch_ = std::make_unique<watching>(reactor(), *link_);
            wait_on(watch_->socket, watch_->on_socket, false);
            if (watch_->bell) wait_on(*watch_->bell, watch_->on_bell, true);
            if (!link_->arm(true, unsent())) break;
        }
    } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        fail_all(lock, std::current_exception());
    }
    driving_ = false;
    live_until_sent();
    hand_over_to_sleeper();
}

void connection::wait_on(descriptor& what, bool& under_way, bool is_bell) {
    if (!is_bell && link_->bell() < 0 && unsent() && !waits_to_write_) {
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

void connection::woken(bool is_bell) {
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

} // namespace coproc::detail
