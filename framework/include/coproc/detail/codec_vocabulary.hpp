// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The small standard types: tuples and arrays, optional and variant, owning pointers, times, paths,
// error codes.

#include <coproc/detail/codec_basic.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>
#include <variant>

namespace coproc::detail {

// --- tuple, pair ---------------------------------------------------------------------------------

template <class T, class... M>
struct product_codec {
    using parts = types<std::remove_cv_t<M>...>;
    static constexpr std::size_t least = (std::size_t{0} + ... + least_size<std::remove_cv_t<M>>);
    static constexpr std::size_t fixed =
        ((fixed_size<std::remove_cv_t<M>> != variable) && ...) ? least : variable;
    static constexpr bool bits = false;

    static void put(std::byte* to, const T& value) {
        std::apply([&](const M&... x) { (next_put(to, x), ...); }, value);
    }
    static T get([[maybe_unused]] const std::byte* from) {
        return T{next_get<std::remove_cv_t<M>>(from)...};
    }

    static void size(sizer& s, const T& value) {
        std::apply([&](const M&... x) { (detail::size(s, x), ...); }, value);
    }
    static void encode(writer& w, const T& value) {
        std::apply([&](const M&... x) { (detail::encode(w, x), ...); }, value);
    }
    static T decode(reader& r) { return T{detail::decode<std::remove_cv_t<M>>(r)...}; }

private:
    template <class F>
    static void next_put(std::byte*& to, const F& x) {
        codec_for<F>::put(to, x);
        to += fixed_size<F>;
    }
    template <class F>
    static F next_get(const std::byte*& from) {
        const std::byte* at = from;
        from += fixed_size<F>;
        return codec_for<F>::get(at);
    }
};

template <class... M>
struct codec_for<std::tuple<M...>, kind::tuple> : product_codec<std::tuple<M...>, M...> {};

template <class A, class B>
struct codec_for<std::pair<A, B>, kind::tuple> : product_codec<std::pair<A, B>, A, B> {};

// --- array ---------------------------------------------------------------------------------------

template <class T, std::size_t N>
struct codec_for<std::array<T, N>, kind::array> {
    using array = std::array<T, N>;
    using parts = types<T>;
    static constexpr std::size_t least = N * least_size<T>;
    static constexpr std::size_t fixed = fixed_size<T> != variable ? N * fixed_size<T> : variable;
    static constexpr bool bits = is_bits<T> && N != 0;

    static void put(std::byte* to, const array& value) {
        if constexpr (bits) {
            as_bits<array>::put(to, value);
        } else {
            for (const T& x : value) {
                codec_for<T>::put(to, x);
                to += fixed_size<T>;
            }
        }
    }
    static array get(const std::byte* from) {
        if constexpr (bits) {
            return as_bits<array>::get(from);
        } else {
            return make([&from] {
                const std::byte* at = from;
                from += fixed_size<T>;
                return codec_for<T>::get(at);
            });
        }
    }
    static void size(sizer& s, const array& value) {
        for (const T& x : value)
            detail::size(s, x);
    }
    static void encode(writer& w, const array& value) {
        for (const T& x : value)
            detail::encode(w, x);
    }
    static array decode(reader& r) {
        return make([&r] { return detail::decode<T>(r); });
    }

private:
    template <class F>
    static array make(F next) {
        if constexpr (std::default_initializable<T> && std::is_move_assignable_v<T>) {
            array value;
            for (T& x : value)
                x = next();
            return value;
        } else {
            return [&next]<std::size_t... I>(std::index_sequence<I...>) {
                return array{{((void)I, next())...}};
            }(std::make_index_sequence<N>{});
        }
    }
};

// --- optional, variant ---------------------------------------------------------------------------

template <class T>
struct codec_for<std::optional<T>, kind::optional> : varying<1, T> {
    static void size(sizer& s, const std::optional<T>& value) {
        s.bytes(1);
        if (value) detail::size(s, *value);
    }
    static void encode(writer& w, const std::optional<T>& value) {
        w.raw(static_cast<std::uint8_t>(value.has_value()));
        if (value) detail::encode(w, *value);
    }
    static std::optional<T> decode(reader& r) {
        if (r.raw<std::uint8_t>() == 0) return std::nullopt;
        return std::optional<T>{std::in_place, detail::decode<T>(r)};
    }
};

[[noreturn]] inline void malformed() {
    throw serialization_error{"coproc: a message holds a value that its type cannot have (damaged, "
                              "or made by another build)"};
}

template <class... A>
struct codec_for<std::variant<A...>, kind::variant> : varying<2, A...> {
    using value_type = std::variant<A...>;

    static void size(sizer& s, const value_type& value) {
        if (value.valueless_by_exception())
            throw serialization_error{
                "coproc: a variant that is valueless by exception cannot be sent"};
        s.bytes(2);
        std::visit([&s](const auto& x) { detail::size(s, x); }, value);
    }
    static void encode(writer& w, const value_type& value) {
        w.raw(static_cast<std::uint16_t>(value.index()));
        std::visit([&w](const auto& x) { detail::encode(w, x); }, value);
    }
    static value_type decode(reader& r) {
        const auto level = r.nested();
        return pick(r, r.raw<std::uint16_t>(), std::index_sequence_for<A...>{});
    }

private:
    template <std::size_t... I>
    static value_type pick(reader& r, std::size_t index, std::index_sequence<I...>) {
        using make = value_type (*)(reader&);
        static constexpr make makers[] = {&one<I>...};
        if (index >= sizeof...(A)) malformed();
        return makers[index](r);
    }
    template <std::size_t I>
    static value_type one(reader& r) {
        return value_type{std::in_place_index<I>,
                          detail::decode<std::variant_alternative_t<I, value_type>>(r)};
    }
};

// --- owning pointers: the object, or nothing -----------------------------------------------------

template <class Pointer, class T>
struct pointer_codec : varying<1, T> {
    static void size(sizer& s, const Pointer& value) {
        s.bytes(1);
        if (value == nullptr) return;
        const auto level = s.nested();
        detail::size(s, *value);
    }
    static void encode(writer& w, const Pointer& value) {
        w.raw(static_cast<std::uint8_t>(value != nullptr));
        if (value != nullptr) detail::encode(w, *value);
    }
    static Pointer decode(reader& r) {
        if (r.raw<std::uint8_t>() == 0) return nullptr;
        const auto level = r.nested();
        return Pointer{new T(detail::decode<T>(r))};
    }
};

template <class T>
struct codec_for<std::unique_ptr<T>, kind::pointer>
    : pointer_codec<std::unique_ptr<T>, std::remove_cv_t<T>> {};

/// By value: two pointers to one object arrive as two objects.
template <class T>
struct codec_for<std::shared_ptr<T>, kind::pointer>
    : pointer_codec<std::shared_ptr<T>, std::remove_cv_t<T>> {};

// --- times ---------------------------------------------------------------------------------------

template <class T, class Inner>
struct wrapped_codec {
    using parts = types<Inner>;
    static constexpr std::size_t least = least_size<Inner>;
    static constexpr std::size_t fixed = fixed_size<Inner>;
    static constexpr bool bits =
        is_bits<Inner> && sizeof(T) == sizeof(Inner) && std::is_trivially_copyable_v<T>;
};

template <class T>
struct codec_for<T, kind::duration> : wrapped_codec<T, typename T::rep> {
    using inner = typename T::rep;
    static void put(std::byte* to, const T& value) { codec_for<inner>::put(to, value.count()); }
    static T get(const std::byte* from) { return T{codec_for<inner>::get(from)}; }
    static void size(sizer& s, const T& value) { detail::size<inner>(s, value.count()); }
    static void encode(writer& w, const T& value) { detail::encode<inner>(w, value.count()); }
    static T decode(reader& r) { return T{detail::decode<inner>(r)}; }
};

template <class T>
struct codec_for<T, kind::time_point> : wrapped_codec<T, typename T::duration> {
    using inner = typename T::duration;
    static void put(std::byte* to, const T& value) {
        codec_for<inner>::put(to, value.time_since_epoch());
    }
    static T get(const std::byte* from) { return T{codec_for<inner>::get(from)}; }
    static void size(sizer& s, const T& value) { detail::size<inner>(s, value.time_since_epoch()); }
    static void encode(writer& w, const T& value) {
        detail::encode<inner>(w, value.time_since_epoch());
    }
    static T decode(reader& r) { return T{detail::decode<inner>(r)}; }
};

// --- path, bitset, error_code --------------------------------------------------------------------

template <class T>
struct codec_for<T, kind::path> : varying<8> {
    using string = typename T::string_type;
    static void size(sizer& s, const T& value) { detail::size(s, value.native()); }
    static void encode(writer& w, const T& value) { detail::encode(w, value.native()); }
    static T decode(reader& r) { return T{detail::decode<string>(r)}; }
};

template <class T>
struct codec_for<T, kind::bitset> {
    using parts = types<>;
    static constexpr std::size_t width = T{}.size();
    static constexpr std::size_t fixed = (width + 7) / 8;
    static constexpr bool bits = false;

    static void put(std::byte* to, const T& value) {
        for (std::size_t i = 0; i < fixed; ++i)
            to[i] = std::byte{};
        for (std::size_t i = 0; i < width; ++i)
            if (value[i]) to[i / 8] |= std::byte{1} << (i % 8);
    }
    static T get(const std::byte* from) {
        T value;
        for (std::size_t i = 0; i < width; ++i)
            value[i] = (from[i / 8] >> (i % 8) & std::byte{1}) != std::byte{};
        return value;
    }
};

/// The standard categories keep their identity. Of others the name and the text travel: such a code
/// compares equal to codes that came the same way, not to those of the category's own object.
void size_error_code(sizer& s, int value, const std::error_category& category);
void encode_error_code(writer& w, int value, const std::error_category& category);
[[nodiscard]] std::error_code decode_error_code(reader& r);

template <class T>
struct codec_for<T, kind::error_code> : varying<5> {
    static void size(sizer& s, const T& code) { size_error_code(s, code.value(), code.category()); }
    static void encode(writer& w, const T& code) {
        encode_error_code(w, code.value(), code.category());
    }
    static T decode(reader& r) {
        const std::error_code code = decode_error_code(r);
        return T{code.value(), code.category()};
    }
};

} // namespace coproc::detail
