// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A manager's server: accepts clients, has them prove the key, and lets `hosted_objects` deal with
// what they ask for.

#include <chrono>
#include <cstddef>
#include <manager/authentication.hpp>
#include <manager/transport.hpp>
#include <memory>
#include <string>
#include <tuple>

namespace coproc::detail {

struct server_settings {
    std::string local_key{};
    std::string remote_key{};
    bool tls = false;
    std::string certificate{};
    std::string private_key{};
    std::string authorities{};
    bool verify_peer = false;
    std::uint64_t most_message_bytes = std::uint64_t{1} << 30;
    std::chrono::nanoseconds authentication_time{std::chrono::seconds{10}};
    std::uint64_t most_strangers = 64;

    auto members() {
        return std::tie(local_key, remote_key, tls, certificate, private_key, authorities,
                        verify_peer, most_message_bytes, authentication_time, most_strangers);
    }
};

class manager_server;

/// `remote` may be empty.
std::shared_ptr<manager_server> make_manager_server(server_settings settings, os::unique_fd local,
                                                    os::unique_fd remote);
/// Until a client asks it to shut down, or stop_manager(). Once.
void serve(const std::shared_ptr<manager_server>& server);
/// From any thread.
void stop_manager(manager_server& server);

} // namespace coproc::detail
