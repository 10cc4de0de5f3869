// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <passing/descriptor_lane.hpp>

#include <coproc/error.hpp>
#include <os/socket.hpp>
#include <os/system_call.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <sys/socket.h>
#include <system_error>

namespace coproc::detail {
namespace {

struct peeked {
    std::uint64_t number = 0;
    std::vector<os::unique_fd> descriptors = {};
    bool truncated = false;
};

/// A system call that receives; the news that the peer left something unread is none here, and
/// comes once.
template <class F>
ssize_t receive(F&& call) noexcept {
    for (;;) {
        const ssize_t size = call();
        if (size >= 0 || (errno != EINTR && errno != ECONNRESET)) return size;
    }
}

std::optional<peeked> peek(int socket) {
    peeked result;
    iovec data{&result.number, sizeof result.number};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(os::max_descriptors * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = receive(
        [&] { return ::recvmsg(socket, &message, MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
    if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
        os::throw_system_error("receive descriptors");
    }
    if (size == 0) return std::nullopt;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i != count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            result.descriptors.emplace_back(fd);
        }
    }
    result.truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    return result;
}

} // namespace

descriptor_lane::descriptor_lane() {
    auto pair = os::make_socketpair();
    sender_ = std::move(pair.first);
    receiver_ = std::move(pair.second);
}

descriptor_lane::descriptor_lane(os::unique_fd sender, os::unique_fd receiver) noexcept
    : sender_{std::move(sender)}, receiver_{std::move(receiver)} {}

bool lane::send(int socket, std::uint64_t number, std::span<const int> descriptors) {
    try {
        return os::send_message(socket, std::as_bytes(std::span{&number, 1}), descriptors);
    } catch (const std::system_error& e) {
        if (e.code().value() == EAGAIN || e.code().value() == ENOBUFS) return false;
        throw;
    }
}

std::vector<os::unique_fd> lane::look(int socket, std::uint64_t number, std::size_t count) {
    for (;;) {
        // A look without descriptors first: those of a stray message are none of ours.
        std::uint64_t next = 0;
        const auto size =
            receive([&] { return ::recv(socket, &next, sizeof next, MSG_PEEK | MSG_DONTWAIT); });
        if (size <= 0 || next > number)
            throw serialization_error{"coproc: the handles that belong to an element are not there "
                                      "(was its memory damaged?)"};
        if (next == number) break;
        ::recv(socket, &next, sizeof next, MSG_DONTWAIT);
    }
    auto found = peek(socket);
    if (!found || found->truncated || found->descriptors.size() != count)
        os::throw_system_error("receive the handles of an element: the process may not have more "
                               "open descriptors (see ulimit -n)",
                               EMFILE);
    return std::move(found->descriptors);
}

void lane::drop(int socket, std::uint64_t up_to) noexcept {
    std::uint64_t next = 0;
    while (receive([&]() noexcept {
               return ::recv(socket, &next, sizeof next, MSG_PEEK | MSG_DONTWAIT);
           }) > 0 &&
           next <= up_to)
        ::recv(socket, &next, sizeof next, MSG_DONTWAIT);
}

void descriptor_lane::clear() noexcept { drop(std::numeric_limits<std::uint64_t>::max()); }

} // namespace coproc::detail
