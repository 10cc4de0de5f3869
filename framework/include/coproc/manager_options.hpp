// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace coproc {

/// TLS between a manager and clients on other machines; files are PEM. The key proves both sides
/// even without authorities, and is bound to the TLS connection: nobody who stands between can pass
/// the proof on.
struct manager_tls {
    bool enabled = false;
    std::string certificate = {}; ///< chain; a server needs one
    std::string private_key = {}; ///< of the certificate
    std::string authorities = {}; ///< whose certificates to accept
    bool verify_peer = false;     ///< the other side must show a certificate of the authorities
    std::string server_name = {}; ///< for a client: the name in it; empty: the endpoint's host
};

/// How a manager is started.
struct manager_options {
    /// "tcp://host:port", for clients that do not belong to this program; port 0: the system
    /// chooses. Empty: this program's processes only.
    std::string endpoint = {};
    /// What clients at the endpoint must know; empty: random, see manager::authkey(). Whoever knows
    /// it and runs the same build can run code in the server: choose it as carefully as a password
    /// that nobody has to type.
    std::string authkey = {};
    manager_tls tls = {};         ///< for the endpoint
    std::string name = "manager"; ///< of the server process, shows in ps
    /// A longer message ends the connection it came on.
    std::size_t max_message_bytes = std::size_t{1} << 30;
    /// A connection that has not proved the key by then is closed.
    duration authentication_timeout = std::chrono::seconds{10};
    /// Of more connections than this that have not proved the key yet, the oldest is closed.
    std::size_t max_unauthenticated = 64;
};

/// How to connect to a manager.
struct manager_connect_options {
    duration timeout = std::chrono::seconds{10}; ///< for all of it
    manager_tls tls = {};
};

} // namespace coproc
