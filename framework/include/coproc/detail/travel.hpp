// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The type that a value has when it arrives: what merely refers to something becomes what owns it.

#include <coproc/detail/codec_kind.hpp>
#include <coproc/error.hpp>

#include <concepts>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coproc::detail {

template <class T>
inline constexpr bool is_character =
    std::is_same_v<T, char> || std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
    std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

template <class T>
inline constexpr bool is_initializer_list = false;
template <class T>
inline constexpr bool is_initializer_list<std::initializer_list<T>> = true;

template <class T>
concept ranged = requires(T& x) {
    x.begin();
    x.end();
};

template <class T>
inline constexpr bool is_view =
    std::ranges::enable_view<T> || is_initializer_list<T> || type_name<T>().starts_with("ranges::");

/// A range that owns nothing: a view of std or of range-v3, a span, an initializer list.
template <class T>
concept borrowing = std::is_class_v<T> && kind_of<T> == kind::none && ranged<T> && is_view<T>;

template <class T>
struct travel_type {
    using type = T;
};

template <class T>
using travel_type_t = typename travel_type<std::decay_t<T>>::type;

template <class T>
    requires is_character<std::remove_cv_t<T>>
struct travel_type<T*> {
    using type = std::basic_string<std::remove_cv_t<T>>;
};

template <class C, class Traits>
struct travel_type<std::basic_string_view<C, Traits>> {
    using type = std::basic_string<C, Traits>;
};

template <borrowing T>
struct travel_type<T> {
    using type = std::vector<travel_type_t<decltype(*std::declval<T&>().begin())>>;
};

// Inside the types in which they are found, spelled out because only these can be converted element
// by element.

template <class T>
struct travel_type<std::optional<T>> {
    using type = std::optional<travel_type_t<T>>;
};
template <class A, class B>
struct travel_type<std::pair<A, B>> {
    using type = std::pair<travel_type_t<A>, travel_type_t<B>>;
};
template <class... T>
struct travel_type<std::tuple<T...>> {
    using type = std::tuple<travel_type_t<T>...>;
};
template <class T, class A>
struct travel_type<std::vector<T, A>> {
    using type = std::conditional_t<std::is_same_v<travel_type_t<T>, T>, std::vector<T, A>,
                                    std::vector<travel_type_t<T>>>;
};
template <class T, std::size_t N>
struct travel_type<std::array<T, N>> {
    using type = std::array<travel_type_t<T>, N>;
};
template <>
struct travel_type<std::vector<bool>::reference> {
    using type = bool;
};

template <class T>
struct travel {
    using type = travel_type_t<T>;
};

/// Converts to the type that travels; a value that is of that type already is passed on.
template <class T>
travel_type_t<T> to_travel(T&& value) {
    using target = travel_type_t<T>;
    using source = std::decay_t<T>;
    if constexpr (std::is_same_v<target, source>) {
        return static_cast<T&&>(value);
    } else if constexpr (std::is_pointer_v<std::remove_reference_t<T>>) {
        if (value == nullptr)
            throw serialization_error{
                "coproc: a null pointer was given where a string was expected"};
        return target(value);
    } else if constexpr (std::is_constructible_v<target, T> && !borrowing<source>) {
        return target(static_cast<T&&>(value));
    } else if constexpr (requires { std::tuple_size<source>::value; } && !borrowing<source>) {
        return std::apply(
            [](auto&&... x) { return target{to_travel(static_cast<decltype(x)>(x))...}; },
            static_cast<T&&>(value));
    } else if constexpr (requires { value.has_value(); }) {
        return value.has_value() ? target{to_travel(*static_cast<T&&>(value))} : target{};
    } else {
        target out;
        for (auto&& x : value)
            out.push_back(to_travel(static_cast<decltype(x)>(x)));
        return out;
    }
}

} // namespace coproc::detail
