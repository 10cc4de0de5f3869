// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A pair of connected SOCK_SEQPACKET sockets: message boundaries, an end of file when the peer is
// gone, and descriptors can be sent along.

#include <os/unique_fd.hpp>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace coproc::detail::os {

std::pair<unique_fd, unique_fd> make_socketpair();

/// What one message can carry; the kernel's limit is 253.
inline constexpr std::size_t max_descriptors = 250;

enum class blocking : bool { no, yes };

/// Sends one message. False: the peer is gone. Throws std::system_error on anything else, also when
/// it would block.
bool send_message(int socket, std::span<const std::byte> bytes,
                  std::span<const int> descriptors = {}, blocking mode = blocking::no);

struct received {
    enum class status { message, nothing, end } what = status::nothing;
    std::size_t size = 0; ///< bytes of the message (what did not fit is dropped)
    std::vector<unique_fd> descriptors = {};
};

received receive_message(int socket, std::span<std::byte> into, blocking mode = blocking::no);

} // namespace coproc::detail::os
