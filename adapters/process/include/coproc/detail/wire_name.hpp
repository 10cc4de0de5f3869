// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The name of a type that two programs agree on, whatever compiler made them: "dict<string, i32>".
// By how its values travel, so types that travel alike have one name; a program's own types go by
// their own.

#include <coproc/codec.hpp>

#include <string>
#include <tuple>
#include <type_traits>

namespace coproc::detail {

template <class T>
std::string wire_name();

template <class Types>
struct wire_names;
template <class... T>
struct wire_names<types<T...>> {
    static std::string list() {
        std::string all;
        ((all += (all.empty() ? "" : ", ") + wire_name<T>()), ...);
        return all;
    }
};

/// As the compilers spell it, without what differs between them.
std::string plain_type_name(std::string_view compilers);

template <class T>
std::string scalar_wire_name() {
    const std::string bits = std::to_string(8 * sizeof(T));
    if constexpr (std::is_enum_v<T>)
        return plain_type_name(type_name<T>());
    else if constexpr (std::is_same_v<T, char>)
        return "char";
    else if constexpr (std::is_floating_point_v<T>)
        return "f" + bits;
    else if constexpr (std::is_integral_v<T>)
        return (std::is_signed_v<T> ? "i" : "u") + bits;
    else
        return plain_type_name(type_name<T>());
}

template <class T>
std::string wire_name() {
    constexpr kind k = kind_of<T>;
    if constexpr (k == kind::bits || k == kind::extended) {
        return scalar_wire_name<T>();
    } else if constexpr (k == kind::boolean) {
        return std::is_enum_v<T> ? plain_type_name(type_name<T>()) : "bool";
    } else if constexpr (k == kind::contiguous) {
        if constexpr (std::is_same_v<typename T::value_type, char> && requires(T& x) { x.c_str(); })
            return "string";
        else
            return "vector<" + wire_name<typename T::value_type>() + ">";
    } else if constexpr (k == kind::packed || k == kind::appendable || k == kind::forward) {
        return "vector<" + wire_name<typename T::value_type>() + ">";
    } else if constexpr (k == kind::associative) {
        if constexpr (requires { typename T::mapped_type; })
            return "map<" + wire_name<typename T::key_type>() + ", " +
                   wire_name<typename T::mapped_type>() + ">";
        else
            return "set<" + wire_name<typename T::key_type>() + ">";
    } else if constexpr (k == kind::tuple) {
        return "tuple<" + wire_names<typename codec_for<T>::parts>::list() + ">";
    } else if constexpr (k == kind::optional) {
        return "optional<" + wire_name<typename T::value_type>() + ">";
    } else if constexpr (k == kind::variant) {
        return "variant<" + wire_names<typename codec_for<T>::parts>::list() + ">";
    } else if constexpr (k == kind::array) {
        return "array<" + wire_name<typename T::value_type>() + ", " +
               std::to_string(std::tuple_size_v<T>) + ">";
    } else if constexpr (k == kind::path) {
        return "path";
    } else {
        return plain_type_name(type_name<T>());
    }
}

} // namespace coproc::detail
