// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Descriptors on their way from one process to another, beside elements in shared memory, which
// cannot hold them. They wait in a pair of sockets that every handle has both ends of, so they
// outlive their sender.
//
// A message here belongs to an element by its number. It is sent before the element counts, and
// taken after the element has been taken: a death in between leaves a message without an element,
// which the next receiver drops, and never an element without its message.

#include <os/unique_fd.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace coproc::detail {

/// What a lane does, over sockets that are somebody else's.
namespace lane {
bool send(int socket, std::uint64_t number, std::span<const int> descriptors);
std::vector<os::unique_fd> look(int socket, std::uint64_t number, std::size_t count);
void drop(int socket, std::uint64_t up_to) noexcept;
} // namespace lane

class descriptor_lane {
public:
    /// A new one.
    descriptor_lane();
    /// One that came from elsewhere.
    descriptor_lane(os::unique_fd sender, os::unique_fd receiver) noexcept;

    /// What to send along with a handle.
    [[nodiscard]] int sender() const noexcept { return sender_.get(); }
    [[nodiscard]] int receiver() const noexcept { return receiver_.get(); }

    /// False: there is no room until some have been taken. Throws std::system_error. Numbers grow.
    bool send(std::uint64_t number, std::span<const int> descriptors) {
        return lane::send(sender(), number, descriptors);
    }
    /// The descriptors of that number, which remain here until drop(). Forgets all with a smaller
    /// number. Throws std::system_error when the process has no room for them, and
    /// serialization_error when they are not there; they are still there after the former.
    std::vector<os::unique_fd> look(std::uint64_t number, std::size_t count) {
        return lane::look(receiver(), number, count);
    }
    /// Forgets everything up to that number.
    void drop(std::uint64_t up_to) noexcept { lane::drop(receiver(), up_to); }
    /// Forgets everything.
    void clear() noexcept;

private:
    os::unique_fd sender_;
    os::unique_fd receiver_;
};

} // namespace coproc::detail
