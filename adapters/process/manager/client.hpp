// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A process's connection to a manager's server: one for all its proxies and threads. A thread that
// waits for its reply reads the connection itself, for the others as well; while nobody blocks and
// something is awaited, the reactor does.

#include <coproc/detail/remote.hpp>

#include <chrono>
#include <compare>
#include <functional>
#include <manager/transport.hpp>
#include <memory>
#include <string>
#include <tuple>

namespace coproc::detail {

/// Where a server is, and how to get in. Travels with proxies.
struct client_address {
    std::string endpoint{};
    std::string key{};
    bool tls = false;
    bool verify_peer = false;
    std::string certificate{};
    std::string private_key{};
    std::string authorities{};
    std::string host{}; // in the server's certificate

    auto members() {
        return std::tie(endpoint, key, tls, verify_peer, certificate, private_key, authorities,
                        host);
    }
    friend auto operator<=>(const client_address&, const client_address&) = default;
};

class manager_client {
public:
    manager_client() = default;
    manager_client(const manager_client&) = delete;
    manager_client& operator=(const manager_client&) = delete;
    virtual ~manager_client() = default;

    virtual remote_reply call(manager_op op, std::uint64_t object, const remote_payload& what,
                              std::uint64_t timeout = wait_for_ever) = 0;
    /// Throws timeout_error after this time. An object that comes later is let go.
    virtual remote_reply call_within(manager_op op, std::uint64_t object,
                                     const remote_payload& what,
                                     std::chrono::nanoseconds patience) = 0;
    /// The server itself, for requests that are about no object.
    [[nodiscard]] virtual std::shared_ptr<remote_target> root() = 0;
    /// An object that the reply to create, find, redeem or make names.
    virtual remote_ptr adopt(remote_reply&& reply) = 0;
    /// The object of a proxy that came in a message. Throws timeout_error if the server is stuck:
    /// after a while, and at once from then on, until it answers. The thread may be one that others
    /// depend on.
    virtual remote_ptr redeem(std::uint64_t object, std::uint64_t ticket) = 0;
    /// Without a reply.
    virtual void tell(manager_op op, std::uint64_t object, std::uint64_t request,
                      const remote_payload& what = {}) noexcept = 0;
    [[nodiscard]] virtual bool same_build() const noexcept = 0;
    [[nodiscard]] virtual std::int32_t server_pid() const noexcept = 0;
    [[nodiscard]] virtual bool alive() noexcept = 0;
    [[nodiscard]] virtual const client_address& address() const noexcept = 0;
    /// Says why the connection ended.
    virtual void explain_end(std::function<std::string()> how) = 0;
    /// The number of an object that lives at this server, or 0. It may be held over another
    /// connection to the same one.
    [[nodiscard]] virtual std::uint64_t number_of(const remote_object& object) const noexcept = 0;

    /// The connection that this process has, or a new one. Throws authentication_error,
    /// end_of_stream_error, timeout_error.
    static std::shared_ptr<manager_client> get(const client_address& address,
                                               std::chrono::nanoseconds timeout);
};

} // namespace coproc::detail
