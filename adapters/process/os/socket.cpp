// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/socket.hpp>

#include <os/system_call.hpp>

#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace coproc::detail::os {
namespace {

void wait_for(int socket, short events) noexcept {
    pollfd entry{socket, events, 0};
    static_cast<void>(::poll(&entry, 1, -1));
}

} // namespace

std::pair<unique_fd, unique_fd> make_socketpair() {
    int ends[2];
    check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
          "create a socket pair");
    return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

bool send_message(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors,
                  blocking mode) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::byte ancillary[CMSG_SPACE(max_descriptors * sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        const std::size_t size = descriptors.size_bytes();
        message.msg_control = ancillary;
        message.msg_controllen = CMSG_SPACE(size);
        std::memset(ancillary, 0, message.msg_controllen);
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), descriptors.data(), size);
    }
    for (;;) {
        if (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return false;
        if (errno == EAGAIN && mode == blocking::yes)
            wait_for(socket, POLLOUT);
        else if (errno != EINTR)
            throw_system_error("send a message to a process");
    }
}

received receive_message(int socket, std::span<std::byte> into, blocking mode) {
    iovec part{into.data(), into.size()};
    alignas(cmsghdr) std::byte ancillary[CMSG_SPACE(253 * sizeof(int))];
    msghdr message{};
    for (;;) {
        message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary;
        message.msg_controllen = sizeof ancillary;
        const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (size < 0) {
            if (errno == EINTR) continue;
            if (errno == ECONNRESET) return {received::status::end};
            if (errno != EAGAIN) throw_system_error("receive a message from a process");
            if (mode == blocking::no) return {};
            wait_for(socket, POLLIN);
            continue;
        }
        received result{received::status::message, static_cast<std::size_t>(size)};
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            result.descriptors.reserve(result.descriptors.size() + count);
            for (std::size_t i = 0; i != count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
                result.descriptors.emplace_back(fd);
            }
        }
        // An empty message is the end: nobody here sends one.
        if (size == 0 && result.descriptors.empty()) result.what = received::status::end;
        return result;
    }
}

} // namespace coproc::detail::os
