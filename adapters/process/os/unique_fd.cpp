// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/unique_fd.hpp>

#include <os/system_call.hpp>

#include <fcntl.h>

namespace coproc::detail::os {

unique_fd unique_fd::duplicate() const { return os::duplicate(fd_); }

unique_fd duplicate(int fd) {
    return unique_fd{check(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "duplicate a descriptor")};
}

void set_inheritable(int fd, bool inheritable) noexcept {
    ::fcntl(fd, F_SETFD, inheritable ? 0 : FD_CLOEXEC);
}

} // namespace coproc::detail::os
