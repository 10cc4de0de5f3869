// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Replies come in, and so does the end of the connection. Who drives, and who does next.

#include <coproc/error.hpp>
#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/spin.hpp>

#include <algorithm>
#include <cstring>
#include <manager/connection.hpp>
#include <utility>

namespace coproc::detail {
namespace {

/// An error that says how the server ended, if that was the reason and is known; else the same
/// one.
std::exception_ptr explain(std::exception_ptr why,
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

} // namespace

void connection::drive(std::unique_lock<std::mutex>& lock, const sync_wait& own) {
    driving_ = true;
    link_->disarm(); // the reactor need not be told of what is read here
    try {
        while (!own.done && !own.is_late()) {
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
            if (link_->arm(true, unsent())) continue;
            driver_sleeps_ = true;
            const bool writing = unsent();
            lock.unlock();
            const std::uint64_t since = os::monotonic_ns();
            std::optional<std::chrono::nanoseconds> limit;
            if (own.until)
                limit = std::max(*own.until - steady::now(), std::chrono::nanoseconds{0});
            wait_for(*link_, limit, writing, nudge_.get());
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

bool connection::receive(const sync_wait* own) {
    bool any = false;
    frame next;
    for (;;) {
        while (parser_.next(next)) {
            any = true;
            deliver(next);
            if (own != nullptr && own->done) return true; // only this thread sets it now
        }
        if (own != nullptr && own->is_late()) return any; // though there may be more, and more
        const auto got = link_->read(parser_.room());
        parser_.filled(got.bytes);
        if (got.end) end_of_connection();
        if (got.bytes == 0) return any;
        any = true;
    }
}

void connection::deliver(frame& in) {
    if (in.op() == manager_op::refused) {
        reader r{in.payload};
        decode<bool>(r);
        throw end_of_stream_error{decode<std::string>(r)};
    }
    if (in.op() != manager_op::reply)
        throw protocol_error{"coproc: the manager sent what no manager sends"};
    remote_reply reply;
    bool lost = false; // its descriptors
    try {
        reply = {static_cast<manager_status>(in.header.status), std::move(in.payload),
                 take_descriptors(in.header.descriptors)};
    } catch (const serialization_error& e) {
        const auto* const text = reinterpret_cast<const std::byte*>(e.what());
        reply = {manager_status::unsupported, {text, text + std::strlen(e.what())}, {}};
        lost = true;
    }
    in_flight to;
    {
        const std::scoped_lock lock{mutex_};
        ++replies_;
        const auto found = in_flight_.find(in.header.id);
        if (found == in_flight_.end())
            throw protocol_error{"coproc: the manager answers what nobody asked"};
        to = found->second;
        to.unwanted |= lost; // others may fare better
        if (to.takes && (reply.ok() || lost)) acknowledge(in.header.id, to);
        in_flight_.erase(found); // not before: should that fail, it ends with all the others
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

void connection::acknowledge(std::uint64_t id, const in_flight& to) {
    frame_header header;
    header.id = id;
    if (to.unwanted) {
        header.op = static_cast<std::uint16_t>(manager_op::give_back);
        header.object = to.object;
        push(header, {}); // the server has an element until it is acknowledged
    } else if (to.acknowledge) {
        header.op = static_cast<std::uint16_t>(manager_op::acknowledge);
        push(header, {});
    }
    static_cast<void>(out_.flush(*link_)); // an end is noticed by whoever reads
}

std::vector<int> connection::take_descriptors(std::uint32_t count) {
    if (count == 0) return {};
    auto taken = link_->take_descriptors(count);
    std::vector<int> result(taken.size());
    std::ranges::transform(taken, result.begin(), &os::unique_fd::release);
    return result;
}

void connection::end_of_connection() const {
    std::string text = "coproc: the manager at " + address_.endpoint +
                       " has ended, or the connection to it was lost";
    throw end_of_stream_error{text};
}

void connection::fail_all(std::unique_lock<std::mutex>& lock, std::exception_ptr why) {
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
    until_sent_.reset();
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

// --- who drives next, under the lock -------------------------------------------------------------

void connection::hand_over() {
    if (hand_over_to_sleeper()) return;
    if (waiters_ != 0 || unsent()) keep_watch();
    live_until_sent();
}

bool connection::hand_over_to_sleeper() {
    if (last_sleeper_ == nullptr) return false;
    last_sleeper_->may_drive = true;
    last_sleeper_->woken.notify_one();
    return true;
}

void connection::sleep_until_done_or_driving(std::unique_lock<std::mutex>& lock, sync_wait& own) {
    own.slept_before = std::exchange(last_sleeper_, &own);
    const auto awake = [&] { return own.done || own.may_drive; };
    if (own.until)
        own.woken.wait_until(lock, *own.until, awake);
    else
        own.woken.wait(lock, awake);
    sync_wait** at = &last_sleeper_;
    while (*at != &own)
        at = &(*at)->slept_before;
    *at = own.slept_before;
    own.may_drive = false;
}

} // namespace coproc::detail
