// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What can be sent to another process, and how. Most types need nothing: arithmetic types, enums,
// strings, the standard containers and vocabulary types, and plain aggregates of these travel as
// they are. A class with private state, a base class or a C array names its state:
//
//     class account {
//     public:
//         auto members() { return std::tie(owner_, balance_); }
//     ...
//
// or a free `auto coproc_members(account& a)` does, found by argument-dependent lookup. Where that
// is not enough, specialise codec<T> (see below).
//
// The bytes are meant for the same build on the same kind of machine, in memory; they are not a
// file format.

#include <coproc/detail/sendable.hpp>
#include <coproc/detail/travel.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace coproc {

/// Whether a T can be sent to another process and arrives as a T.
template <class T>
concept sendable =
    std::is_object_v<T> && detail::judgement<std::remove_cv_t<T>>::why == detail::refusal::none;

/// What a T is when it arrives: string literals and string_view as std::string, spans and other
/// views as std::vector, also inside other types; everything else as the decayed type.
template <class T>
using travel_t = detail::travel_type_t<T>;

/// How T is encoded. Specialise it, with these three functions, for a type whose state is more than
/// its members say: `size` announces exactly what `encode` will write, `decode` reads as much and
/// throws what it likes. All three may run on any thread. A class template names the types it
/// contains in `using parts = coproc::detail::types<...>`, so that it is sendable when they are.
template <class T>
struct codec {
    static constexpr bool is_built_in = true; // absent in a specialisation

    static void size(detail::sizer& s, const T& value) { detail::size(s, value); }
    static void encode(detail::writer& w, const T& value) { detail::encode(w, value); }
    static T decode(detail::reader& r) { return detail::decode<T>(r); }
};

} // namespace coproc

namespace coproc::detail {

/// One readable line for whoever tries to send a T that cannot travel.
template <class T>
consteval void require_sendable() {
    using found = judgement<std::remove_cv_t<T>>;
    if constexpr (found::why != refusal::none) refuse<typename found::culprit, found::why>();
}

template <class T>
std::size_t encoded_size(const T& value) {
    sizer s;
    size(s, value);
    return s.size();
}

/// The bytes of a value without handles; for tests and for values that are kept.
template <class T>
std::vector<std::byte> to_bytes(const T& value) {
    std::vector<std::byte> out(encoded_size(value));
    writer w{out};
    encode(w, value);
    return out;
}

template <class T>
T from_bytes(std::span<const std::byte> bytes) {
    reader r{bytes};
    return decode<T>(r);
}

} // namespace coproc::detail
