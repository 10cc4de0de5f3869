// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <manager/authentication.hpp>
#include <manager/client.hpp>
#include <manager/frame.hpp>
#include <manager/transport.hpp>
#include <memory>

namespace coproc::detail {

struct open_connection {
    std::unique_ptr<transport> link;
    frame_parser parser;
    manager_peer server;
};

/// A client's way to its manager: connects and proves the key. Blocks.
open_connection connect_to_manager(const client_address& address, std::chrono::nanoseconds timeout);

} // namespace coproc::detail
