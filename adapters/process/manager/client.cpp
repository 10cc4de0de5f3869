// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The connections that this process has: one for each address.

#include <manager/client.hpp>

#include <coproc/detail/forks.hpp>
#include <src/fork_guard.hpp>

#include <manager/connection.hpp>
#include <manager/open_connection.hpp>
#include <map>
#include <mutex>
#include <new>

namespace coproc::detail {
namespace {

struct connections {
    std::mutex mutex;
    std::map<client_address, std::weak_ptr<connection>> open;
};

connections& all_connections() {
    static connections* const instance = [] {
        on_fork_in_child([]() noexcept { ::new (&all_connections()) connections; });
        return new connections;
    }();
    return *instance;
}

const made_before_main made_early{all_connections};

constexpr std::chrono::seconds connecting_patience{10};

} // namespace

std::shared_ptr<manager_client> manager_client::get(const client_address& address,
                                                    std::chrono::nanoseconds timeout) {
    connections& all = all_connections();
    const auto present = [&]() -> std::shared_ptr<connection> {
        const auto found = all.open.find(address);
        if (found == all.open.end()) return nullptr;
        auto alive = found->second.lock();
        return alive != nullptr && alive->usable() ? alive : nullptr;
    };
    {
        const std::scoped_lock lock{all.mutex};
        if (auto found = present()) return found;
    }
    auto fresh = std::make_shared<connection>(address, connect_to_manager(address, timeout));
    const std::scoped_lock lock{all.mutex};
    if (auto found = present()) return found; // another thread was faster
    std::erase_if(all.open, [](const auto& each) { return each.second.expired(); });
    all.open.insert_or_assign(address, fresh);
    return fresh;
}

remote_ptr decode_remote(reader& r, const std::string& type) {
    const auto address = decode<client_address>(r);
    const auto id = r.raw<std::uint64_t>();
    const auto ticket = r.raw<std::uint64_t>();
    const auto client = manager_client::get(address, connecting_patience);
    auto object = client->redeem(id, ticket);
    require_type(*object, type);
    return object;
}

} // namespace coproc::detail
