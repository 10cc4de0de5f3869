// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Containers: a count of 64 bits, then the elements. No count is believed before there are bytes
// for it.

#include <coproc/detail/codec_basic.hpp>
#include <coproc/detail/spare_storage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

namespace coproc::detail {

// --- elements ------------------------------------------------------------------------------------

/// An element that may occupy no bytes at all gets one, so that a count is always bounded by what
/// is left.
template <class T>
inline constexpr std::size_t element_padding = least_size<T> == 0 ? 1 : 0;

template <class T>
inline constexpr std::size_t fixed_element =
    fixed_size<T> == variable ? variable : fixed_size<T> + element_padding<T>;

template <class T>
inline constexpr std::size_t least_element = least_size<T> + element_padding<T>;

template <class T>
void size_element(sizer& s, const T& element) {
    s.bytes(element_padding<T>);
    size(s, element);
}

template <class T>
void encode_element(writer& w, const T& element) {
    if constexpr (element_padding<T> != 0) w.raw(std::byte{});
    encode(w, element);
}

template <class T>
T decode_element(reader& r) {
    if constexpr (element_padding<T> != 0) (void)r.bytes(1);
    return decode<T>(r);
}

/// How many elements to make room for: a small message must not ask for a large allocation.
template <class T>
std::size_t modest(std::size_t count, const reader& r) {
    return std::min(count, (4 * r.left() + 4096) / sizeof(T));
}

/// The elements of a range, without their count.
template <class Range>
void size_elements(sizer& s, const Range& range, std::size_t count) {
    using element = std::remove_cvref_t<decltype(*std::begin(range))>;
    if constexpr (fixed_size<element> != variable) {
        s.bytes(count * fixed_element<element>);
    } else {
        const auto level = s.nested();
        for (const auto& x : range)
            size_element<element>(s, x);
    }
}

template <class Range>
void encode_elements(writer& w, const Range& range, std::size_t count) {
    using element = std::remove_cvref_t<decltype(*std::begin(range))>;
    if constexpr (fixed_size<element> != variable) {
        std::byte* to = w.claim(count * fixed_element<element>);
        if constexpr (fixed_size<element> == 0) {
            if (count != 0) std::memset(to, 0, count);
        } else {
            for (const auto& x : range) {
                codec_for<element>::put(to, x);
                to += fixed_element<element>;
            }
        }
    } else {
        for (const auto& x : range)
            encode_element<element>(w, x);
    }
}

/// Asks for large pages: to touch fresh memory page by page takes longer than to copy it.
void about_to_fill(void* memory, std::size_t bytes) noexcept;

// --- contiguous: vector, string ------------------------------------------------------------------

template <class T>
struct codec_for<T, kind::contiguous> : varying<8, typename T::value_type> {
    using element = typename T::value_type;

    static void size(sizer& s, const T& value) {
        s.bytes(8);
        size_elements(s, value, value.size());
    }
    static void encode(writer& w, const T& value) {
        w.raw(static_cast<std::uint64_t>(value.size()));
        if constexpr (is_bits<element>)
            w.bytes(value.data(), value.size() * sizeof(element));
        else
            encode_elements(w, value, value.size());
    }
    static T decode(reader& r) {
        const std::size_t count = r.count(least_element<element>);
        if constexpr (is_bits<element>) {
            if constexpr (may_be_appended_to) {
                if (count * sizeof(element) >= writer::flowing) return large_from_bytes(r, count);
            }
            return from_bytes(r.bytes(count * sizeof(element)), count);
        } else if constexpr (fixed_size<element> != variable) {
            const std::byte* from = r.bytes(count * fixed_element<element>);
            T value;
            value.reserve(count);
            for (std::size_t i = 0; i != count; ++i, from += fixed_element<element>)
                value.push_back(codec_for<element>::get(from));
            return value;
        } else {
            const auto level = r.nested();
            T value;
            value.reserve(modest<element>(count, r));
            for (std::size_t i = 0; i != count; ++i)
                value.push_back(decode_element<element>(r));
            return value;
        }
    }

private:
    static constexpr bool may_be_appended_to =
        requires(T& x, const element* p) { x.insert(x.end(), p, p); };

    static bool aligned(const std::byte* from) noexcept {
        return reinterpret_cast<std::uintptr_t>(from) % alignof(element) == 0;
    }

    static T from_bytes(const std::byte* from, std::size_t count) {
        T value;
        if (count == 0) return value;
        if (aligned(from)) { // the usual case: nothing is written twice
            const auto* first = reinterpret_cast<const element*>(from);
            value.assign(first, first + count);
        } else {
            append_unaligned(value, from, count);
        }
        return value;
    }

    /// Copied while the sender may still be at the rest of it; into memory that another value had,
    /// if there is such.
    static T large_from_bytes(reader& r, std::size_t count) {
        T value;
        if (count * sizeof(element) >= large_value) {
            if constexpr (storage_may_be_kept<T>) value = spare_storage::take<T>(count);
            const auto* const had = value.data();
            value.reserve(count);
            if (value.data() != had) about_to_fill(value.data(), count * sizeof(element));
        }
        value.reserve(count);
        while (count != 0) {
            const auto some = r.some(count * sizeof(element), sizeof(element));
            const std::size_t n = some.size() / sizeof(element);
            if (aligned(some.data())) {
                const auto* first = reinterpret_cast<const element*>(some.data());
                value.insert(value.end(), first, first + n);
            } else {
                append_unaligned(value, some.data(), n);
            }
            count -= n;
        }
        return value;
    }

    static void append_unaligned(T& value, const std::byte* from, std::size_t count) {
        const std::size_t end = value.size() + count;
        value.reserve(end);
        if constexpr (std::default_initializable<element>) {
            // What is written twice is still in the cache the second time.
            constexpr std::size_t some = std::max<std::size_t>(16384 / sizeof(element), 1);
            for (std::size_t done = value.size(); done != end;) {
                const std::size_t n = std::min(some, end - done);
                value.resize(done + n);
                std::memcpy(static_cast<void*>(value.data() + done), from, n * sizeof(element));
                from += n * sizeof(element);
                done += n;
            }
        } else {
            for (; count != 0; --count, from += sizeof(element))
                value.push_back(codec_for<element>::get(from));
        }
    }
};

// --- vector<bool>: eight to the byte -------------------------------------------------------------

template <class T>
struct codec_for<T, kind::packed> : varying<8> {
    static void size(sizer& s, const T& value) { s.bytes(8 + (value.size() + 7) / 8); }
    static void encode(writer& w, const T& value) {
        const std::size_t count = value.size();
        w.raw(static_cast<std::uint64_t>(count));
        std::byte* to = w.claim((count + 7) / 8);
        for (std::size_t i = 0; i < count; i += 8) {
            unsigned byte = 0;
            for (std::size_t j = 0; j != std::min<std::size_t>(8, count - i); ++j)
                byte |= unsigned{value[i + j]} << j;
            *to++ = static_cast<std::byte>(byte);
        }
    }
    static T decode(reader& r) {
        const auto count = r.raw<std::uint64_t>();
        const std::byte* from = r.bytes(static_cast<std::size_t>(count / 8 + (count % 8 != 0)));
        T value(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i != count; ++i)
            value[i] = (static_cast<unsigned>(from[i / 8]) >> (i % 8) & 1U) != 0;
        return value;
    }
};

// --- the others, element by element --------------------------------------------------------------

template <class T>
struct counted {
    using element = typename T::value_type;

    static std::size_t length(const T& value) {
        if constexpr (requires { value.size(); })
            return value.size();
        else
            return static_cast<std::size_t>(std::distance(value.begin(), value.end()));
    }
    static void size(sizer& s, const T& value) {
        s.bytes(8);
        size_elements(s, value, length(value));
    }
    static void encode(writer& w, const T& value) {
        const std::size_t count = length(value);
        w.raw(static_cast<std::uint64_t>(count));
        encode_elements(w, value, count);
    }
};

template <class T>
struct codec_for<T, kind::appendable> : varying<8, typename T::value_type>, counted<T> {
    static T decode(reader& r) {
        using element = typename T::value_type;
        const auto level = r.nested();
        T value;
        for (std::size_t n = r.count(least_element<element>); n != 0; --n)
            value.emplace_back(decode_element<element>(r));
        return value;
    }
};

template <class T>
struct codec_for<T, kind::forward> : varying<8, typename T::value_type>, counted<T> {
    static T decode(reader& r) {
        using element = typename T::value_type;
        const auto level = r.nested();
        T value;
        auto last = value.before_begin();
        for (std::size_t n = r.count(least_element<element>); n != 0; --n)
            last = value.emplace_after(last, decode_element<element>(r));
        return value;
    }
};

/// A map's value_type has a const key, which cannot be moved: the pair is read as one of its plain
/// kind.
template <class T>
struct plain_element {
    using type = T;
};
template <class K, class V>
struct plain_element<std::pair<const K, V>> {
    using type = std::pair<K, V>;
};

template <class T>
struct codec_for<T, kind::associative>
    : varying<8, typename plain_element<typename T::value_type>::type>, counted<T> {
    static T decode(reader& r) {
        using element = typename plain_element<typename T::value_type>::type;
        const auto level = r.nested();
        const std::size_t count = r.count(least_element<element>);
        T value;
        if constexpr (requires { value.reserve(count); }) value.reserve(modest<element>(count, r));
        for (std::size_t n = count; n != 0; --n)
            value.emplace_hint(value.end(), decode_element<element>(r));
        return value;
    }
};

/// queue, stack, priority_queue: the container inside.
template <class T>
struct codec_for<T, kind::adaptor> : varying<8, typename T::container_type> {
    using inner = typename T::container_type;

    struct opened : T {
        static const inner& of(const T& value) { return value.*&opened::c; }
        static inner& of(T& value) { return value.*&opened::c; }
    };
    static void size(sizer& s, const T& value) { detail::size(s, opened::of(value)); }
    static void encode(writer& w, const T& value) { detail::encode(w, opened::of(value)); }
    static T decode(reader& r) {
        T value;
        opened::of(value) = detail::decode<inner>(r);
        return value;
    }
};

} // namespace coproc::detail
