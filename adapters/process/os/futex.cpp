// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/futex.hpp>

#include <os/clock.hpp>

#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coproc::detail::os {

[[gnu::hot]] bool futex_wait(const futex_word& word, std::uint32_t expected,
                             std::optional<std::chrono::nanoseconds> timeout) noexcept {
    timespec limit{};
    if (timeout) limit = to_timespec(*timeout);
    const long result =
        ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, timeout ? &limit : nullptr, nullptr, 0);
    return result == 0 || errno != ETIMEDOUT;
}

[[gnu::hot]] int futex_wake(futex_word& word, int count) noexcept {
    return static_cast<int>(::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0));
}

namespace {

constexpr long sys_futex_waitv = 449; // the same number on every architecture

/// struct futex_waitv of newer <linux/futex.h>.
struct waitv_entry {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
};
constexpr std::uint32_t word_of_32_bits = 2; // FUTEX_32

} // namespace

bool can_wait_for_many() noexcept {
    // An empty list is refused with EINVAL by those who know the call. A filter of system calls may
    // say EPERM.
    return ::syscall(sys_futex_waitv, nullptr, 0, 0, nullptr, 0) == -1 && errno == EINVAL;
}

void futex_list::wait(std::optional<std::chrono::nanoseconds> timeout) const noexcept {
    std::array<waitv_entry, most_futexes> list;
    for (std::size_t i = 0; i != count_; ++i)
        list[i] = {entries_[i].expected, reinterpret_cast<std::uintptr_t>(entries_[i].word),
                   word_of_32_bits, 0};
    timespec until{};
    if (timeout)
        until = to_timespec(std::chrono::nanoseconds{static_cast<std::int64_t>(monotonic_ns())} +
                            *timeout);
    ::syscall(sys_futex_waitv, list.data(), static_cast<unsigned>(count_), 0,
              timeout ? &until : nullptr, CLOCK_MONOTONIC);
}

} // namespace coproc::detail::os
