// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Plain aggregates, through Boost.PFR, and classes that name their state.

#include <coproc/detail/codec_basic.hpp>

#include <boost/pfr/core.hpp>
#include <boost/pfr/tuple_size.hpp>

#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

// --- what PFR can take apart ---------------------------------------------------------------------

// PFR fails hard on base classes and on C arrays as members, so both are looked for before it is
// asked.

template <class Aggregate>
struct any_field {
    template <class T>
        requires(!std::is_same_v<T, Aggregate>)
    operator T() const;
};

template <class Derived>
struct any_base {
    template <class T>
        requires(std::is_base_of_v<T, Derived> && !std::is_same_v<T, Derived>)
    operator T() const;
};

template <class T, std::size_t>
using any_field_at = any_field<T>;

template <class T, std::size_t... After>
consteval bool base_fits(std::index_sequence<After...>) {
    return requires { T{any_base<T>{}, any_field_at<T, After>{}...}; };
}

/// Members that cannot be left out are given something, up to a dozen.
template <class T>
consteval bool has_base() {
    if constexpr (requires { T{}; }) {
        return base_fits<T>(std::index_sequence<>{});
    } else {
        return []<std::size_t... N>(std::index_sequence<N...>) {
            return (base_fits<T>(std::make_index_sequence<N>{}) || ...);
        }(std::make_index_sequence<13>{});
    }
}

#if defined(__cpp_aggregate_paren_init)
template <class T, std::size_t... I>
consteval bool braces_take(std::index_sequence<I...>) {
    return requires { T{any_field_at<T, I>{}...}; };
}

template <class T, std::size_t... I>
consteval bool parentheses_take(std::index_sequence<I...>) {
    return requires { T(any_field_at<T, I>{}...); };
}

/// In braces the elements of an array may be given one by one, in parentheses they may not.
template <class T, std::size_t N = 0, bool Begun = false>
consteval bool has_array() {
    using fields = std::make_index_sequence<N>;
    if constexpr (N != 0 && parentheses_take<T>(fields{}))
        return has_array<T, N + 1, true>();
    else if constexpr (N != 0 && braces_take<T>(fields{}))
        return true;
    else if constexpr (Begun || N > 100 || (N != 0 && requires { T{}; }))
        return false;
    else
        return has_array<T, N + 1, false>();
}
#else
template <class T>
consteval bool has_array() {
    return false; // PFR will say so, at greater length
}
#endif

/// A member that is a reference can neither be assigned nor left out. (PFR does not tell it from
/// its object.)
template <class T>
inline constexpr bool has_reference = !std::is_move_assignable_v<T> && !requires { T{}; };

enum class shape { plain, has_base, has_array, has_reference };

template <class T>
consteval shape find_shape() {
    if constexpr (has_base<T>())
        return shape::has_base;
    else if constexpr (has_array<T>())
        return shape::has_array;
    else if constexpr (has_reference<T>)
        return shape::has_reference;
    else
        return shape::plain;
}

template <class T>
inline constexpr shape shape_of = find_shape<T>();

template <class T>
consteval std::size_t field_count() {
    if constexpr (shape_of<T> == shape::plain)
        return boost::pfr::tuple_size_v<T>;
    else
        return 0;
}

// --- aggregates ----------------------------------------------------------------------------------

template <class T, class = std::make_index_sequence<field_count<T>()>>
struct aggregate_codec;

template <class T, std::size_t... I>
struct aggregate_codec<T, std::index_sequence<I...>> {
    template <std::size_t J>
    using field = std::remove_cv_t<boost::pfr::tuple_element_t<J, T>>;

    using parts = types<boost::pfr::tuple_element_t<I, T>...>;
    static constexpr std::size_t least = (std::size_t{0} + ... + least_size<field<I>>);
    static constexpr std::size_t fixed =
        ((fixed_size<field<I>> != variable) && ...) ? least : variable;
    /// Padding does not travel: it could be anything that was in memory before.
    static constexpr bool bits = std::is_trivially_copyable_v<T> && (is_bits<field<I>> && ...) &&
                                 (std::size_t{0} + ... + sizeof(field<I>)) == sizeof(T);

    static void put(std::byte* to, const T& value) {
        if constexpr (bits) {
            as_bits<T>::put(to, value);
        } else {
            boost::pfr::for_each_field(value, [&]<class F>(const F& x) {
                codec_for<F>::put(to, x);
                to += fixed_size<F>;
            });
        }
    }
    static T get(const std::byte* from) {
        if constexpr (bits)
            return as_bits<T>::get(from);
        else
            return T{next<field<I>>(from)...};
    }

    static void size(sizer& s, const T& value) {
        boost::pfr::for_each_field(value, [&](const auto& x) { detail::size(s, x); });
    }
    static void encode(writer& w, const T& value) {
        boost::pfr::for_each_field(value, [&](const auto& x) { detail::encode(w, x); });
    }
    static T decode(reader& r) { return T{detail::decode<field<I>>(r)...}; }

private:
    template <class F>
    static F next(const std::byte*& from) {
        const std::byte* at = from;
        from += fixed_size<F>;
        return codec_for<F>::get(at);
    }
};

template <class T>
struct codec_for<T, kind::aggregate> : aggregate_codec<T> {};

// --- classes that name their state ---------------------------------------------------------------

template <class T>
auto members_of(T& x) {
    if constexpr (has_members<T>)
        return x.members();
    else
        return coproc_members(x);
}

template <class T>
using members_t = decltype(members_of(std::declval<T&>()));

template <class T, class = members_t<T>>
struct members_codec;

template <class T, class... M>
struct members_codec<T, std::tuple<M...>>
    : varying<0, std::remove_all_extents_t<std::remove_reference_t<M>>...> {
    /// Set when the state can be written to an object that exists; otherwise the state makes the
    /// object.
    static constexpr bool by_reference =
        std::default_initializable<T> &&
        ((std::is_lvalue_reference_v<M> && !std::is_const_v<std::remove_reference_t<M>>) && ...);
    static constexpr bool by_constructor = std::constructible_from<T, std::remove_cvref_t<M>...>;

    static void size(sizer& s, const T& value) {
        each(value, [&s](const auto& x) { detail::size(s, x); });
    }
    static void encode(writer& w, const T& value) {
        each(value, [&w](const auto& x) { detail::encode(w, x); });
    }
    static T decode(reader& r) {
        if constexpr (by_reference) {
            T value{};
            decode_members(r, value);
            return value;
        } else {
            return T{detail::decode<std::remove_cvref_t<M>>(r)...};
        }
    }
    static void decode_members(reader& r, T& value) {
        std::apply([&](auto&... x) { (decode_into(r, x), ...); }, as_lvalue(members_of(value)));
    }

private:
    /// (Since C++23 a returned `x` is an rvalue again, if it came as one.)
    static auto& as_lvalue(auto&& x) {
        return static_cast<std::remove_reference_t<decltype(x)>&>(x);
    }

    /// members() is rarely const, since one form must do for both directions; nothing is changed
    /// here.
    template <class F>
    static void each(const T& value, F f) {
        auto named = members_of(const_cast<T&>(value));
        std::apply([&](const auto&... x) { (apply(f, x), ...); }, named);
    }
    template <class F, class X>
    static void apply(F& f, const X& x) {
        if constexpr (std::is_array_v<X>) {
            for (const auto& element : x)
                apply(f, element);
        } else {
            f(x);
        }
    }
};

/// The state of a class that names it.
template <class T>
struct codec_for<T, kind::members> : members_codec<T> {};

} // namespace coproc::detail
