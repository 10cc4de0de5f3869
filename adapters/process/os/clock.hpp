// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace coproc::detail::os {

/// Nanoseconds of CLOCK_MONOTONIC: the same clock in every process, and
/// std::chrono::steady_clock's.
inline std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// The same as a point of steady_clock, which is CLOCK_MONOTONIC with both standard libraries of
/// Linux.
inline std::chrono::steady_clock::time_point to_steady(std::uint64_t ns) noexcept {
    return std::chrono::steady_clock::time_point{
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(
            std::chrono::nanoseconds{static_cast<std::int64_t>(ns)})};
}

/// A duration as the system takes it; negative ones become zero.
inline timespec to_timespec(std::chrono::nanoseconds duration) noexcept {
    const auto ns = duration.count() < 0 ? 0 : duration.count();
    timespec result{};
    result.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    result.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    return result;
}

} // namespace coproc::detail::os
