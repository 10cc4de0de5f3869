// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A copy of what may have no copy constructor: made as another process would make it, of the bytes.

#include <coproc/codec.hpp>

#include <cstddef>
#include <type_traits>
#include <vector>

namespace coproc::detail {

/// Whether copying compiles. (std::is_copy_constructible says yes to a vector of unique_ptr, and to
/// a struct with one.)
template <class T, class... Seen>
consteval bool copies() {
    if constexpr (!std::is_copy_constructible_v<T>)
        return false;
    else if constexpr ((std::is_same_v<T, Seen> || ...) || kind_of<T> == kind::none ||
                       kind_of<T> == kind::pointer)
        return true;
    else
        return []<class... Part>(types<Part...>) {
            return (copies<std::remove_cv_t<Part>, T, Seen...>() && ...);
        }(typename codec_for<T>::parts{});
}

template <class T>
inline constexpr bool can_clone = copies<T>() || sendable<T>;

/// The descriptors of an encoded value whose owner keeps his.
class duplicated_descriptors final : public descriptor_source {
public:
    explicit duplicated_descriptors(const std::vector<int>& from) noexcept : from_{from} {}
    int take_descriptor() override;

private:
    const std::vector<int>& from_;
    std::size_t taken_ = 0;
};

template <class T>
    requires(can_clone<T>)
T clone(const T& x) {
    if constexpr (copies<T>()) {
        return x;
    } else {
        sizer s;
        size(s, x);
        std::vector<std::byte> bytes(s.size());
        std::vector<int> descriptors;
        writer w{bytes, &descriptors};
        encode(w, x);
        duplicated_descriptors own{descriptors};
        reader r{bytes, &own};
        return decode<T>(r);
    }
}

} // namespace coproc::detail
