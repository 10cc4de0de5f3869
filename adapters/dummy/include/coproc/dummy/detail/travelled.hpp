// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Arguments for those who take only what would arrive in another process: any_policy's rule, for
// the calls that are not a pool's.

#include <coproc/codec.hpp>

#include <type_traits>
#include <utility>

namespace coproc::detail::threads {

/// The argument itself where it would arrive as it is, else what would arrive.
template <class T>
using travelled_t =
    std::conditional_t<std::is_same_v<travel_t<T>, std::decay_t<T>>, T&&, travel_t<T>>;

template <class T>
travelled_t<T> travelled(T&& value) {
    if constexpr (std::is_reference_v<travelled_t<T>>)
        return std::forward<T>(value);
    else
        return to_travel(std::forward<T>(value));
}

} // namespace coproc::detail::threads
