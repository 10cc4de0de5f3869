// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The three passes over a value, and the codecs of what has no parts.

#include <coproc/detail/codec_kind.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/detail/wire.hpp>

#include <bit>
#include <cfloat>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

namespace coproc::detail {

// --- one value -----------------------------------------------------------------------------------

template <class T>
void size(sizer& s, const T& value) {
    if constexpr (fixed_size<T> != variable)
        s.bytes(fixed_size<T>);
    else
        codec_for<T>::size(s, value);
}

template <class T>
void encode(writer& w, const T& value) {
    if constexpr (fixed_size<T> != variable)
        codec_for<T>::put(w.claim(fixed_size<T>), value);
    else
        codec_for<T>::encode(w, value);
}

template <class T>
T decode(reader& r) {
    if constexpr (fixed_size<T> != variable)
        return codec_for<T>::get(r.bytes(fixed_size<T>));
    else
        return codec_for<T>::decode(r);
}

/// Into an object that exists: the way for arrays, and for members named by reference.
template <class T>
void decode_into(reader& r, T& value) {
    if constexpr (std::is_array_v<T>) {
        for (auto& element : value)
            decode_into(r, element);
    } else {
        value = decode<T>(r);
    }
}

// --- bytes that are their value ------------------------------------------------------------------

/// Base of the codecs whose bytes in memory are the encoding.
template <class T>
struct as_bits {
    using parts = types<>;
    static constexpr std::size_t fixed = sizeof(T);
    static constexpr bool bits = true;

    static void put(std::byte* to, const T& value) noexcept {
        std::memcpy(to, static_cast<const void*>(std::addressof(value)), sizeof(T));
    }
    static T get(const std::byte* from) noexcept {
        // std::bit_cast would do, but g++ 12 now and then takes a closure for not trivially
        // copyable.
        union room {
            std::byte none;
            T value;
            room() noexcept : none{} {}
        } room;
        std::memcpy(static_cast<void*>(std::addressof(room.value)), from, sizeof(T));
        return static_cast<T&&>(room.value);
    }
};

template <class T>
struct codec_for<T, kind::bits> : as_bits<T> {};

/// Not `bits`: a byte that is neither 0 nor 1 must not become a bool.
template <class T>
struct codec_for<T, kind::boolean> {
    using parts = types<>;
    static constexpr std::size_t fixed = 1;
    static constexpr bool bits = false;

    static void put(std::byte* to, T value) noexcept { *to = static_cast<std::byte>(value); }
    static T get(const std::byte* from) noexcept { return static_cast<T>(*from != std::byte{}); }
};

template <>
struct codec_for<long double, kind::extended> {
    using parts = types<>;
    static constexpr std::size_t fixed =
        LDBL_MANT_DIG == 64 ? 10 : sizeof(long double); // x87: the rest is padding
    static constexpr bool bits = false;

    static void put(std::byte* to, const long double& value) noexcept {
        std::memcpy(to, &value, fixed);
    }
    static long double get(const std::byte* from) noexcept {
        long double value = 0;
        std::memcpy(&value, from, fixed);
        return value;
    }
};

template <class T>
struct codec_for<T, kind::empty> {
    using parts = types<>;
    static constexpr std::size_t fixed = 0;
    static constexpr bool bits = false;

    static void put(std::byte*, const T&) noexcept {}
    static T get(const std::byte*) {
        if constexpr (std::default_initializable<T>) {
            return T{};
        } else {
            // A lambda with a capture default that captures nothing: the bytes are one, since its
            // type has an implicit lifetime. (Not by std::bit_cast: g++ 12 takes such a lambda for
            // not trivially copyable where it is an argument.)
            alignas(T) std::byte bytes[sizeof(T)]{};
            return *std::launder(reinterpret_cast<T*>(bytes));
        }
    }
};

// --- code ----------------------------------------------------------------------------------------

template <class T>
struct codec_for<T, kind::function> : varying<16> {
    static void size(sizer& s, T value) { size_function(s, reinterpret_cast<const void*>(value)); }
    static void encode(writer& w, T value) {
        encode_function(w, reinterpret_cast<const void*>(value));
    }
    static T decode(reader& r) { return reinterpret_cast<T>(decode_function(r)); }
};

/// The Itanium ABI's pair of a code pointer, or 1 + an offset in the table of virtual functions,
/// and an adjustment of `this`.
template <class T>
struct codec_for<T, kind::method> : varying<17> {
    struct parts_of {
        std::uintptr_t code;
        std::ptrdiff_t adjustment;
    };
    static_assert(sizeof(T) == sizeof(parts_of));

    static bool is_virtual(const parts_of& p) noexcept {
#if defined(__aarch64__) || defined(__arm__)
        return (p.adjustment & 1) != 0;
#else
        return (p.code & 1) != 0;
#endif
    }
    static void size(sizer& s, T value) {
        const auto p = std::bit_cast<parts_of>(value);
        s.bytes(1 + sizeof(p.adjustment));
        if (is_virtual(p))
            s.bytes(sizeof(p.code));
        else
            size_function(s, reinterpret_cast<const void*>(p.code));
    }
    static void encode(writer& w, T value) {
        const auto p = std::bit_cast<parts_of>(value);
        w.raw(static_cast<std::uint8_t>(is_virtual(p)));
        w.raw(p.adjustment);
        if (is_virtual(p))
            w.raw(p.code);
        else
            encode_function(w, reinterpret_cast<const void*>(p.code));
    }
    static T decode(reader& r) {
        parts_of p{};
        const bool in_table = r.raw<std::uint8_t>() != 0;
        p.adjustment = r.raw<std::ptrdiff_t>();
        p.code = in_table ? r.raw<std::uintptr_t>()
                          : reinterpret_cast<std::uintptr_t>(decode_function(r));
        return std::bit_cast<T>(p);
    }
};

// --- classes with a codec of their own -----------------------------------------------------------

template <class T>
struct parts_of_custom {
    using type = types<>;
};
template <class T>
    requires requires { typename codec<T>::parts; }
struct parts_of_custom<T> {
    using type = typename codec<T>::parts;
};

template <class T>
struct codec_for<T, kind::custom> : varying<0> {
    using parts = typename parts_of_custom<T>::type;
    static void size(sizer& s, const T& value) { codec<T>::size(s, value); }
    static void encode(writer& w, const T& value) { codec<T>::encode(w, value); }
    static T decode(reader& r) { return codec<T>::decode(r); }
};

/// What cannot be sent has no parts either; sendable.hpp says why.
template <class T>
struct codec_for<T, kind::none> : varying<0> {};

} // namespace coproc::detail
