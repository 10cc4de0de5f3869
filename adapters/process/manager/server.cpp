// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The loop that serves the clients, and what it does for the hosted objects.

#include <manager/server.hpp>

#include <os/clock.hpp>
#include <os/spin.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <manager/manager_server.hpp>
#include <string_view>
#include <utility>

namespace coproc::detail {

manager_server::manager_server(server_settings settings, os::unique_fd local, os::unique_fd remote)
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

void manager_server::serve() {
    accept_on(*local_, true);
    if (remote_) accept_on(*remote_, false);
    baton_.take_part(true, shared_from_this());
    // Whoever leads now is this thread, or nobody.
}

// --- the loop ------------------------------------------------------------------------------------

void manager_server::interrupt() {
    boost::asio::post(context_, [] {});
}

void manager_server::lead(bool taken_over) {
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

bool manager_server::any_hot_ready() {
    return std::any_of(hot_.begin(), hot_.end(),
                       [](const session_ptr& s) { return s->link->ready(); });
}

bool manager_server::serve_hot() {
    for (std::size_t i = 0; i < hot_.size(); ++i) {
        const session_ptr s = hot_[i];
        if (!s->link->ready() && s->out.empty()) continue;
        if (!serve_session(s)) return false;
        if (i < hot_.size() && hot_[i] != s) --i; // it was taken off the list
    }
    return true;
}

void manager_server::cool_down() {
    for (std::size_t i = 0; i < hot_.size();) {
        const session_ptr& s = hot_[i];
        const bool reading = !s->backlogged();
        if (s->link->arm(reading, !s->out.empty())) {
            ++i;
        } else {
            s->hot = false;
            hot_.erase(hot_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

bool manager_server::run_one() {
    context_.run_one();
    if (context_.stopped()) context_.restart();
    return !baton::lost();
}

bool manager_server::poll_one() {
    context_.poll_one();
    if (context_.stopped()) context_.restart();
    return !baton::lost();
}

// --- effects -------------------------------------------------------------------------------------

void manager_server::answer(client_id client, std::uint64_t request, hosted_answer&& what) {
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
        boost::asio::post(context_, [this, s, there] {
            if (!there) return close(s);
            wait(s);
        });
    }
}

void manager_server::shut_down() { baton_.stop(); }

void manager_server::run(hosted_request&& request, std::shared_ptr<user_object> object,
                         object_id lane_object, client_id lane_client) {
    const call_lanes::lane in{lane_object, lane_client};
    pending_call call{std::move(request), std::move(object)};
    if (lanes_.enter(in, call)) run_now(std::move(call), in);
}

void manager_server::run_now(pending_call&& call, call_lanes::lane in) {
    struct done_call {
        pending_call call;
        user_result result{};
    };
    // Before the call: afterwards another thread may lead, and this one may not fail.
    const auto kept = std::make_shared<done_call>(std::move(call));
    const std::uint64_t number = baton_.begin_call(shared_from_this());
    kept->result = run_user_call(kept->call.request, *kept->call.object);
    if (baton_.end_call(number)) {
        finish(kept->call, std::move(kept->result), in);
        return;
    }
    // It shall see to the rest.
    boost::asio::post(context_,
                      [this, kept, in] { finish(kept->call, std::move(kept->result), in); });
}

void manager_server::finish(pending_call& call, user_result result, call_lanes::lane in) {
    if (result.made)
        objects_.made(call.request.client, call.request.header.id, result.type,
                      std::move(call.object));
    else
        answer(call.request.client, call.request.header.id, std::move(result.answer));
    const bool more =
        lanes_.leave(in, [this](client_id client) { return sessions_.contains(client); });
    // Not here: lanes may be long, and others wait.
    if (more) boost::asio::post(context_, [this, in] { run_now(lanes_.next(in), in); });
}

// --- the functions of server.hpp -----------------------------------------------------------------

std::shared_ptr<manager_server> make_manager_server(server_settings settings, os::unique_fd local,
                                                    os::unique_fd remote) {
    return std::make_shared<manager_server>(std::move(settings), std::move(local),
                                            std::move(remote));
}

void serve(const std::shared_ptr<manager_server>& server) { server->serve(); }
void stop_manager(manager_server& server) { server.stop(); }

} // namespace coproc::detail
