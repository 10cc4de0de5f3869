// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/futex.hpp>

#include <os/clock.hpp>

#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coproc::detail::os {

bool futex_wait(const futex_word& word, std::uint32_t expected,
                std::optional<std::chrono::nanoseconds> timeout) noexcept {
    timespec limit{};
    if (timeout) limit = to_timespec(*timeout);
    const long result =
        ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, timeout ? &limit : nullptr, nullptr, 0);
    return result == 0 || errno != ETIMEDOUT;
}

int futex_wake(futex_word& word, int count) noexcept {
    return static_cast<int>(::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0));
}

} // namespace coproc::detail::os
