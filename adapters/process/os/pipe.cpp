// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/pipe.hpp>

#include <os/system_call.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace coproc::detail::os {

pipe_ends make_pipe() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC), "create a pipe");
    pipe_ends made{unique_fd{ends[0]}, unique_fd{ends[1]}};
    check(::fcntl(made.read.get(), F_SETFL, O_RDONLY | O_NONBLOCK), "set up a pipe");
    return made;
}

std::size_t readable_bytes(int fd) noexcept {
    int count = 0;
    return ::ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? static_cast<std::size_t>(count) : 0;
}

bool write_all(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        const auto written =
            retry([&]() noexcept { return ::write(fd, text.data(), text.size()); });
        if (written > 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (written < 0 && errno == EAGAIN) {
            pollfd entry{fd, POLLOUT, 0}; // somebody has made it non-blocking
            static_cast<void>(::poll(&entry, 1, -1));
        } else {
            return false;
        }
    }
    return true;
}

} // namespace coproc::detail::os
