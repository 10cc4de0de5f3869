// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/eventfd.hpp>

#include <os/system_call.hpp>

#include <cstdint>
#include <sys/eventfd.h>

namespace coproc::detail::os {

unique_fd make_eventfd() {
    return unique_fd{check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "create an eventfd")};
}

void ring(int eventfd) noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(retry([&]() noexcept { return ::write(eventfd, &one, sizeof one); }));
}

bool quiet(int eventfd) noexcept {
    std::uint64_t count = 0;
    return retry([&]() noexcept { return ::read(eventfd, &count, sizeof count); }) > 0;
}

} // namespace coproc::detail::os
