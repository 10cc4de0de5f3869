// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Types recognised by their shape: containers and the less common standard types, without including
// them.

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coproc {

template <class T> struct codec;

/// Specialise as true for a container outside namespace std whose elements are all of its state and
/// which has emplace_back or emplace_hint, as std::vector and std::map do.
template <class T> inline constexpr bool enable_container = false;

} // namespace coproc

namespace coproc::detail {

// --- names ---------------------------------------------------------------------------------------

template <class T>
consteval std::string_view type_name() {
    std::string_view name = __PRETTY_FUNCTION__;
    name.remove_prefix(name.find("T = ") + 4);
    return name.substr(0, name.find_first_of(";]"));
}

template <class T>
inline constexpr bool is_in_std = type_name<T>().starts_with("std::");

// --- shapes --------------------------------------------------------------------------------------

template <class T>
concept customised = !requires { codec<T>::is_built_in; };

template <class T>
concept has_members = std::is_class_v<T> && requires(T& x) { x.members(); };

template <class T>
concept has_free_members = std::is_class_v<T> && requires(T& x) { coproc_members(x); };

template <class T>
concept container = (is_in_std<T> || enable_container<T>) && requires(const T& x) {
    typename T::value_type;
    x.begin();
    x.end();
} && std::is_same_v<typename T::value_type, std::remove_cvref_t<typename T::value_type>>;

template <class T>
concept contiguous_container = container<T> && requires(T& x, std::size_t n) {
    x.data();
    x.resize(n);
    x.reserve(n);
};

template <class T>
concept associative_container = container<T> && requires(T& x, typename T::value_type&& v) {
    typename T::key_type;
    x.emplace_hint(x.end(), std::move(v));
};

template <class T>
concept path_like = is_in_std<T> && requires(const T& x) {
    typename T::string_type;
    T::preferred_separator;
    x.native();
};

template <class T>
concept duration_like = is_in_std<T> && requires(const T& x) {
    typename T::rep;
    typename T::period;
    x.count();
};

template <class T>
concept time_point_like = is_in_std<T> && requires(const T& x) {
    typename T::clock;
    typename T::duration;
    x.time_since_epoch();
};

template <class T>
concept complex_like = is_in_std<T> && std::is_trivially_copyable_v<T> && requires(const T& x) {
    typename T::value_type;
    x.real();
    x.imag();
} && sizeof(T) == 2 * sizeof(typename T::value_type);

template <class T>
concept calendar_like = type_name<T>().starts_with("std::chrono::") &&
                        std::is_trivially_copyable_v<T> && requires(const T& x) { x.ok(); };

template <class T>
concept bitset_like = is_in_std<T> && requires(T& x) {
    x.set(std::size_t{}, true);
    x.test(std::size_t{});
    x.to_ullong();
};

template <class T>
concept adaptor_like = is_in_std<T> && requires(T& x) {
    typename T::container_type;
    x.push(std::declval<typename T::value_type>());
    x.pop();
};

} // namespace coproc::detail
