// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "exception_registry.hpp"

#include <coproc/detail/fork_mutex.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/detail/type_name.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace coproc::detail {
namespace {

struct registry {
    fork_mutex mutex;
    std::vector<exception_accessor> accessors;
    std::atomic<std::size_t> size{0};
};

registry& the_registry() {
    static auto& instance = *new registry; // used until the very end of the program
    return instance;
}

const made_before_main made_early{the_registry};

std::vector<exception_accessor> added_since(std::size_t since) {
    auto& r = the_registry();
    const std::scoped_lock lock{r.mutex};
    const auto begin =
        r.accessors.begin() + static_cast<std::ptrdiff_t>(std::min(since, r.accessors.size()));
    return {begin, r.accessors.end()};
}

} // namespace

void exception_registry::add(exception_accessor accessor) {
    auto& r = the_registry();
    const std::scoped_lock lock{r.mutex};
    if (std::ranges::find(r.accessors, accessor) != r.accessors.end()) return;
    r.accessors.push_back(accessor);
    r.size.store(r.accessors.size(), std::memory_order_release);
}

[[gnu::hot]] std::size_t exception_registry::size() noexcept {
    return the_registry().size.load(std::memory_order_acquire);
}

void exception_registry::size(sizer& s, std::size_t since) {
    for (const exception_accessor accessor : added_since(since))
        detail::size(s, accessor);
}

void exception_registry::encode(writer& w, std::size_t since) {
    for (const exception_accessor accessor : added_since(since)) {
        if (w.room() == 0) return; // registered after the size was taken: the next message's
        detail::encode(w, accessor);
    }
}

void exception_registry::learn(reader& r) {
    while (r.left() != 0) {
        const std::size_t before = r.left();
        try {
            add(decode<exception_accessor>(r));
        } catch (const serialization_error&) {
            // A library that cannot be loaded here, say: its exceptions arrive as remote_error, and
            // no task that has nothing to do with them fails.
            if (r.left() == before) throw;
        }
    }
}

exception_accessor find_registered(const std::type_info& type, const std::string& type_name) {
    const auto known = added_since(0);
    const auto found = std::ranges::find_if(known, [&](exception_accessor accessor) {
        const std::type_info& candidate = *accessor().type;
        return candidate == type || demangle(candidate.name()) == type_name;
    });
    return found == known.end() ? nullptr : *found;
}

bool is_registered(exception_accessor accessor) {
    const auto known = added_since(0);
    return std::ranges::find(known, accessor) != known.end();
}

} // namespace coproc::detail
