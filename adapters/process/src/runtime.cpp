// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/runtime.hpp>

#include <os/socket.hpp>
#include <src/forkserver.hpp>
#include <src/handover.hpp>
#include <src/worker_main.hpp>
#include <src/worker_process.hpp>

#include <exception>
#include <span>
#include <unistd.h>
#include <utility>

namespace coproc {

runtime::runtime(int argc, char** argv) {
    detail::remember_arguments(argc, argv);
    auto given = detail::take_handover();
    if (!given) return;
    if (given->as == detail::role::forkserver) detail::serve_forks(std::move(*given));
    detail::worker_start start;
    start.channel = std::move(given->channel);
    start.parent = std::move(given->parent);
    start.name = std::move(given->name);
    detail::run_worker(std::move(start));
}

namespace detail {

void refuse_if_worker_without_runtime() {
    auto given = take_handover();
    if (!given) return;
    try {
        if (given->as == role::forkserver) {
            const fork_report report{fork_report::no_runtime, ::getpid(), 0};
            os::send_message(given->channel.socket.get(), std::as_bytes(std::span{&report, 1}));
        } else {
            endpoint channel{channel_side::worker, std::move(given->channel)};
            channel.send(message_kind::no_runtime);
        }
    } catch (const std::exception&) {
        // The parent sees the end in any case.
    }
    ::_exit(70); // EX_SOFTWARE; and no exit handlers, which belong to a main that has hardly begun
}

} // namespace detail
} // namespace coproc
