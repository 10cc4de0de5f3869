// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Both ends of a channel in one process, and what goes through it.

#include <src/channel.hpp>

#include <cstring>
#include <sys/stat.h>
#include <vector>

namespace coproc_test {

using namespace coproc::detail;

struct both_ends {
    explicit both_ends(new_channel made = make_channel())
        : numbers{made.parent.memory.get(), made.parent.bell.get()},
          parent{channel_side::parent, duplicate(made)},
          worker{channel_side::worker, std::move(made).worker_end()} {}

    static channel_descriptors duplicate(const new_channel& made) {
        return {made.parent.memory.duplicate(), made.parent.socket.duplicate(),
                made.parent.bell.duplicate()};
    }

    channel_numbers numbers;
    endpoint parent;
    endpoint worker;
};

inline std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    std::uint32_t x = seed * 2654435761u + 1;
    for (auto& b : bytes) {
        x = x * 1664525u + 1013904223u;
        b = static_cast<std::byte>(x >> 24);
    }
    return bytes;
}

inline message_token send(endpoint& to, message_kind kind, std::uint64_t id,
                          const std::vector<std::byte>& bytes) {
    return to.send(kind, id, 0, bytes.size(),
                   [&](writer& w) { w.bytes(bytes.data(), bytes.size()); });
}

inline bool same(const incoming& message, const std::vector<std::byte>& bytes) {
    return message.bytes.size() == bytes.size() &&
           (bytes.empty() || std::memcmp(message.bytes.data(), bytes.data(), bytes.size()) == 0);
}

inline std::size_t allocated_bytes(int memfd) {
    struct stat status{};
    ::fstat(memfd, &status);
    return static_cast<std::size_t>(status.st_blocks) * 512;
}

} // namespace coproc_test
