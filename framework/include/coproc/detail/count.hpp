// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Numbers that users give: any integral type, and a negative one is said to be an error instead of
// being taken for a huge one.

#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// An integral type, as it is taken for a number of things.
template <class N>
concept count = std::integral<N> && !std::same_as<std::remove_cv_t<N>, bool>;

[[noreturn]] void negative_count(const char* what);

/// *Exceptions*: std::invalid_argument if negative.
template <count N>
[[nodiscard]] std::size_t count_of(N n, const char* what) {
    if constexpr (std::is_signed_v<N>)
        if (n < 0) negative_count(what);
    if (!std::in_range<std::size_t>(n)) return std::numeric_limits<std::size_t>::max();
    return static_cast<std::size_t>(n);
}

} // namespace coproc::detail
