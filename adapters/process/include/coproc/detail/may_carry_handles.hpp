// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/codec.hpp>

#include <type_traits>

namespace coproc::detail {

/// Whether a T may contain a handle: something that is encoded by a codec of its own.
template <class T, class... Seen>
consteval bool may_carry_handles() {
    if constexpr ((std::is_same_v<T, Seen> || ...))
        return false;
    else if constexpr (kind_of<T> == kind::custom)
        return true;
    else if constexpr (kind_of<T> == kind::none || fixed_size<T> != variable)
        return false;
    else
        return []<class... Part>(types<Part...>) {
            return (may_carry_handles<std::remove_cv_t<Part>, T, Seen...>() || ...);
        }(typename codec_for<T>::parts{});
}

} // namespace coproc::detail
