// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Which way a type is encoded. Containers and the less common standard types are recognised by
// their shape, so that this header does not include a dozen others.

#include <coproc/detail/codec_shapes.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace coproc::detail {

enum class kind {
    none,        // cannot be sent
    custom,      // codec<T> was specialised
    members,     // names its state itself
    empty,       // a class without state
    bits,        // its bytes are its value
    boolean,     // bool, and enumerations of it
    extended,    // long double: part of its bytes are padding
    function,    // pointer to a function
    method,      // pointer to a member function
    contiguous,  // vector, string
    packed,      // vector<bool>
    appendable,  // deque, list
    forward,     // forward_list
    associative, // set, map and the like
    adaptor,     // queue, stack, priority_queue
    array,
    tuple,
    optional,
    variant,
    pointer, // unique_ptr, shared_ptr
    duration,
    time_point,
    path,
    error_code,
    bitset,
    aggregate,
};

// --- kinds ---------------------------------------------------------------------------------------

template <class T>
inline constexpr kind standard_kind = kind::none;
template <class T, std::size_t N>
inline constexpr kind standard_kind<std::array<T, N>> = kind::array;
template <class... T>
inline constexpr kind standard_kind<std::tuple<T...>> = kind::tuple;
template <class A, class B>
inline constexpr kind standard_kind<std::pair<A, B>> = kind::tuple;
template <class T>
inline constexpr kind standard_kind<std::optional<T>> = kind::optional;
template <class... T>
inline constexpr kind standard_kind<std::variant<T...>> = kind::variant;
template <class T>
inline constexpr kind standard_kind<std::unique_ptr<T>> = kind::pointer;
template <class T>
inline constexpr kind standard_kind<std::shared_ptr<T>> = kind::pointer;
template <>
inline constexpr kind standard_kind<std::error_code> = kind::error_code;
template <>
inline constexpr kind standard_kind<std::error_condition> = kind::error_code;

// The only form that -Wpedantic bears: there is no __extension__ before `using`.
// NOLINTBEGIN(modernize-use-using)
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;
// NOLINTEND(modernize-use-using)

template <class T>
consteval kind scalar_kind() {
    if constexpr (std::is_same_v<T, bool>)
        return kind::boolean;
    else if constexpr (std::is_same_v<T, long double>)
        return kind::extended;
    else if constexpr (std::is_enum_v<T>)
        return scalar_kind<std::underlying_type_t<T>>();
    else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, int128> ||
                       std::is_same_v<T, uint128>)
        return kind::bits;
    else if constexpr (std::is_null_pointer_v<T>)
        return kind::empty;
    else if constexpr (std::is_pointer_v<T>)
        return std::is_function_v<std::remove_pointer_t<T>> ? kind::function : kind::none;
    else if constexpr (std::is_member_function_pointer_v<T>)
        return kind::method;
    else if constexpr (std::is_member_object_pointer_v<T>)
        return kind::bits; // an offset
    else
        return kind::none;
}

template <class T>
consteval kind container_kind() {
    if constexpr (associative_container<T>)
        return kind::associative;
    else if constexpr (contiguous_container<T>)
        return kind::contiguous;
    else if constexpr (std::is_same_v<typename T::value_type, bool> && requires(T& x) { x.flip(); })
        return kind::packed;
    else if constexpr (requires(T& x, typename T::value_type&& v) { x.emplace_back(std::move(v)); })
        return kind::appendable;
    else if constexpr (requires(T& x, typename T::value_type&& v) {
                           x.emplace_after(x.before_begin(), std::move(v));
                       })
        return kind::forward;
    else
        return kind::none;
}

template <class T>
consteval kind class_kind() {
    if constexpr (standard_kind<T> != kind::none)
        return standard_kind<T>;
    else if constexpr (path_like<T>)
        return kind::path;
    else if constexpr (bitset_like<T>)
        return kind::bitset;
    else if constexpr (container<T>)
        return container_kind<T>();
    else if constexpr (adaptor_like<T>)
        return kind::adaptor;
    else if constexpr (duration_like<T>)
        return kind::duration;
    else if constexpr (time_point_like<T>)
        return kind::time_point;
    else if constexpr (complex_like<T>)
        return scalar_kind<typename T::value_type>() == kind::bits ? kind::bits : kind::none;
    else if constexpr (calendar_like<T>)
        return kind::bits;
    else if constexpr (std::is_empty_v<T>)
        return std::is_trivially_copyable_v<T> || std::default_initializable<T> ? kind::empty
                                                                                : kind::none;
    else if constexpr (std::is_aggregate_v<T> && !std::is_union_v<T>)
        return kind::aggregate;
    else
        return kind::none;
}

template <class T>
consteval kind find_kind() {
    if constexpr (!std::is_object_v<T> || std::is_array_v<T>)
        return kind::none;
    else if constexpr (customised<T>)
        return kind::custom;
    else if constexpr (std::is_scalar_v<T> || std::is_same_v<T, int128> ||
                       std::is_same_v<T, uint128>)
        return scalar_kind<T>();
    else if constexpr (!std::is_class_v<T>)
        return kind::none;
    else if constexpr (has_members<T> || has_free_members<T>)
        return kind::members;
    else
        return class_kind<T>();
}

template <class T>
inline constexpr kind kind_of = find_kind<std::remove_cv_t<T>>();

/// How T travels, by its kind; specialised below. A `fixed` type occupies the same number of bytes
/// whatever its value, and is written with `put` and read with `get`, unchecked; others have
/// `size`, `encode` and `decode`.
template <class T, kind = kind_of<T>>
struct codec_for;

inline constexpr std::size_t variable = static_cast<std::size_t>(-1);

template <class... T>
struct types {};

/// Base of the codecs whose size depends on the value.
template <std::size_t Least, class... Parts>
struct varying {
    using parts = types<Parts...>; // what the sender must be able to send, too
    static constexpr std::size_t fixed = variable;
    static constexpr std::size_t least = Least;
    static constexpr bool bits = false;
};

template <class T>
inline constexpr std::size_t fixed_size = codec_for<T>::fixed;

/// Whether a T, and so a sequence of them, may be copied byte by byte.
template <class T>
inline constexpr bool is_bits = codec_for<T>::bits;

template <class T>
consteval std::size_t find_least() {
    if constexpr (fixed_size<T> != variable)
        return fixed_size<T>;
    else
        return codec_for<T>::least;
}

/// The fewest bytes that any value of T occupies.
template <class T>
inline constexpr std::size_t least_size = find_least<T>();

} // namespace coproc::detail
