// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/current_process.hpp>

#include <coproc/detail/identity.hpp>

#include <thread_child.hpp>
#include <unistd.h>
#include <utility>
#include <worker_thread.hpp>

namespace coproc::dummy {

process_info current_process() {
    if (const auto* const child = detail::thread_child::current())
        return {child->own_name(), ::getpid(), child->daemon()};
    if (const auto* const worker = detail::worker_thread::current())
        return {worker->name(), ::getpid(), true};
    auto self = detail::own_identity();
    return {std::move(self.name), ::getpid(), self.daemon};
}

std::optional<parent_info> parent_process() {
    if (const auto* const child = detail::thread_child::current()) {
        if (const auto parent = child->parent())
            return parent_info{parent->own_name(), ::getpid(),
                               [parent] { return parent->is_alive(); }};
        return parent_info{detail::own_identity().name, ::getpid(), [] { return true; }};
    }
    if (detail::worker_thread::current() != nullptr)
        return parent_info{detail::own_identity().name, ::getpid(), [] { return true; }};
    return std::nullopt;
}

std::vector<process_handle> active_children() {
    const auto* const child = detail::thread_child::current();
    const auto family = child != nullptr ? child->children()
                                         : detail::family_of_program(detail::family_kind::threads);
    std::vector<process_handle> result;
    for (auto& each : family->active())
        result.emplace_back(std::move(each));
    return result;
}

} // namespace coproc::dummy
