// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where a manager listens: "tcp://host:port", "tcp://[::1]:port", or "unix:@name", a name that
// exists in no file system and goes with the process.

#include <os/unique_fd.hpp>

#include <chrono>
#include <string>

namespace coproc::detail {

struct manager_address {
    bool local = false;
    std::string host{}; // or the name
    std::string port{};

    /// Throws std::invalid_argument with a text that shows how it should look.
    static manager_address parse(const std::string& endpoint);
};

struct listening_socket {
    os::unique_fd socket;
    std::string endpoint; // with the port that the system chose
};

/// Throws std::system_error.
listening_socket listen_locally();
listening_socket listen_on(const manager_address& where);

/// Throws std::system_error; timeout_error when nothing answers.
os::unique_fd connect_to(const manager_address& where, std::chrono::nanoseconds timeout);

/// Small messages leave at once, and a peer whose machine has gone is noticed.
void prepare_tcp(int socket) noexcept;

} // namespace coproc::detail
