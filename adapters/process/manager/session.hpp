// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A client's connection, on the server's side.

#include <os/unique_fd.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <manager/authentication.hpp>
#include <manager/frame.hpp>
#include <manager/frame_sender.hpp>
#include <manager/hosted.hpp>
#include <manager/transport.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace coproc::detail {

struct session {
    using descriptor = boost::asio::posix::stream_descriptor;

    session(client_id number, std::unique_ptr<transport> over, bool on_this_machine,
            const std::string& key)
        : id{number}, link{std::move(over)}, local{on_this_machine}, greeting{key} {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() {
        for (auto* each : {&socket, &bell, &end})
            if (*each) (*each)->release(); // somebody else's to close
    }

    static constexpr std::size_t most_backlog = 8 << 20;
    /// A client that does not take its answers is not read from until it has.
    [[nodiscard]] bool backlogged() const noexcept { return out.backlog() >= most_backlog; }

    client_id id;
    std::unique_ptr<transport> link;
    bool local;
    server_authentication greeting;
    tls_transport* tls = nullptr; // until it is secured
    frame_parser parser;
    frame_sender out;
    std::optional<descriptor> socket;
    std::optional<descriptor> bell;
    os::unique_fd process; // of a client on this machine
    std::optional<descriptor> end;
    std::chrono::steady_clock::time_point deadline{}; // to prove the key
    bool open = false;                                // has proved it
    bool closed = false;
    bool hot = false; // has rings, and is looked at without being asked to
    bool waits_to_read = false;
    bool waits_to_write = false;
};
using session_ptr = std::shared_ptr<session>;

} // namespace coproc::detail
