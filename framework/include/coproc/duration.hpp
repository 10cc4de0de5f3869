// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <limits>
#include <ratio>
#include <type_traits>

namespace coproc {

/// Every time parameter of the library: nanoseconds, made from any chrono duration. A floating or
/// coarse duration that does not fit saturates instead of overflowing, so `hours::max()` means "for
/// ever".
class duration : public std::chrono::nanoseconds {
public:
    /// Zero.
    constexpr duration() noexcept : std::chrono::nanoseconds{0} {}

    /// From any chrono duration, saturating; not-a-number is zero.
    template <class Rep, class Period>
    constexpr duration(
        std::chrono::duration<Rep, Period> d) noexcept // NOLINT(google-explicit-constructor)
        : std::chrono::nanoseconds{saturate(d)} {}

private:
    template <class Rep, class Period>
    static constexpr std::chrono::nanoseconds
    saturate(std::chrono::duration<Rep, Period> d) noexcept {
        using wide = std::chrono::duration<long double, std::nano>;
        using std::chrono::nanoseconds;
        const wide ns = d;
        if (ns >= wide{nanoseconds::max()}) return nanoseconds::max();
        if (ns <= wide{nanoseconds::min()}) return nanoseconds::min();
        if constexpr (std::is_floating_point_v<Rep>)
            return ns < wide{0} || ns > wide{0}
                       ? nanoseconds{static_cast<nanoseconds::rep>(ns.count())}
                       : nanoseconds{0}; // nothing, or not a number
        else
            return std::chrono::duration_cast<nanoseconds>(d);
    }
};

namespace detail {

using steady = std::chrono::steady_clock;

/// Now plus a duration, saturating: a timeout of centuries is one that never comes.
inline steady::time_point deadline_after(std::chrono::nanoseconds d) noexcept {
    const auto now = steady::now();
    if (d > steady::time_point::max() - now) return steady::time_point::max();
    return now + d;
}

} // namespace detail
} // namespace coproc
