// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/server_process.hpp>

#include <coproc/codec.hpp>
#include <coproc/detail/invoker.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>
#include <coproc/start_method.hpp>
#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/pidfd.hpp>
#include <os/system_call.hpp>
#include <src/call_preamble.hpp>
#include <src/handshake.hpp>

#include <algorithm>
#include <poll.h>
#include <utility>

namespace coproc::detail {
namespace {

/// What the process runs until it ends.
void serve_manager(call_context& call) {
    reader& in = call.in();
    auto settings = decode<server_settings>(in);
    const bool has_remote = decode<bool>(in);
    os::unique_fd local{in.descriptor()};
    os::unique_fd remote{has_remote ? in.descriptor() : -1};
    serve(make_manager_server(std::move(settings), std::move(local), std::move(remote)));
    call.reply(0, 0);
}

} // namespace

server_process::server_process(const std::string& name, const server_settings& settings,
                               os::unique_fd local, os::unique_fd remote) {
    refuse_if_worker_without_runtime();
    launch_request request;
    request.method = get_start_method();
    request.name = name;
    process_ = launch(request);
    greet();

    const bool has_remote = static_cast<bool>(remote);
    const call_preamble preamble{&serve_manager, 1, {}};
    sizer s;
    preamble.size(s);
    size(s, settings);
    size(s, has_remote);
    endpoint& channel = process_->channel();
    channel.send(message_kind::call, 1, preamble.flags(), s.size(), [&](writer& w) {
        preamble.encode(w);
        encode(w, settings);
        encode(w, has_remote);
        w.descriptor(local.get());
        if (has_remote) w.descriptor(remote.get());
    });
    // When it has served, it is done.
    channel.send(message_kind::retire);
}

server_process::~server_process() = default;

void server_process::greet() {
    endpoint& channel = process_->channel();
    handshake greeting{channel, nullptr, process_->name(), process_->pid()};
    const auto until = deadline_after(handshake::hello_timeout);
    while (greeting.now() == handshake::state::starting ||
           greeting.now() == handshake::state::initializing) {
        const bool ended = os::has_ended(process_->pidfd());
        if (incoming* const message = channel.peek()) {
            greeting.on_message(*message);
            channel.pop();
        } else if (ended) {
            greeting.on_exit(process_->try_reap().value_or(worker_process::unknown_exit_code));
        } else if (!channel.arm()) {
            pollfd entries[] = {{process_->doorbell(), POLLIN, 0}, {process_->pidfd(), POLLIN, 0}};
            const auto left = std::max(until - steady::now(), steady::duration::zero());
            const timespec limit = os::to_timespec(left);
            if (::ppoll(entries, 2, &limit, nullptr) == 0) greeting.on_timeout();
            os::quiet(process_->doorbell());
        }
    }
    if (greeting.error()) std::rethrow_exception(greeting.error());
}

std::string server_process::how_it_ended() {
    // The socket's end may be seen a moment before the process's.
    const auto code = process_->reap(std::chrono::seconds{1});
    if (!code) return {};
    const std::string who =
        "coproc: the manager's server process (pid " + std::to_string(pid()) + ") ";
    if (*code < 0) return who + "was killed by " + signal_name(-*code);
    if (*code == 0) return who + "was shut down";
    return who + "ended with exit code " + std::to_string(*code);
}

} // namespace coproc::detail
