// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/eventfd.hpp>

#include <os/system_call.hpp>

#include <cerrno>
#include <cstdint>
#include <sys/eventfd.h>

namespace coproc::detail::os {

unique_fd make_eventfd() {
    return unique_fd{check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "create an eventfd")};
}

[[gnu::hot]] bool ring(int eventfd) noexcept {
    const std::uint64_t one = 1;
    return retry([&]() noexcept { return ::write(eventfd, &one, sizeof one); }) >= 0 ||
           errno == EAGAIN; // it has rung more often than can be counted
}

bool quiet(int eventfd) noexcept {
    std::uint64_t count = 0;
    return retry([&]() noexcept { return ::read(eventfd, &count, sizeof count); }) > 0;
}

} // namespace coproc::detail::os
