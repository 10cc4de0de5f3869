// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/current_process.hpp>

#include <coproc/detail/identity.hpp>
#include <os/pidfd.hpp>
#include <src/worker_main.hpp>

#include <unistd.h>
#include <utility>

namespace coproc {

process_info current_process() {
    // A worker of a pool on threads stands for a process.
    if (const auto* const worker = detail::name_of_worker_thread())
        return {*worker, ::getpid(), true};
    auto self = detail::own_identity();
    return {std::move(self.name), ::getpid(), self.daemon};
}

std::optional<parent_info> parent_process() {
    const auto parent = detail::parent_of_worker();
    if (!parent) return std::nullopt;
    return parent_info{detail::own_identity().parent_name, parent->pid,
                       [pidfd = parent->pidfd] { return !detail::os::has_ended(pidfd); }};
}

std::vector<process_handle> active_children() {
    std::vector<process_handle> result;
    for (auto& each : detail::family_of_program(detail::family_kind::processes)->active())
        result.emplace_back(std::move(each));
    return result;
}

} // namespace coproc
