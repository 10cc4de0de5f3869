// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Whether a type can be sent, and if not, which part of it is the reason: a walk over its parts.

#include <coproc/detail/codec_aggregate.hpp>
#include <coproc/detail/codec_container.hpp>
#include <coproc/detail/codec_vocabulary.hpp>

#include <type_traits>

namespace coproc::detail {

enum class refusal {
    none,
    pointer,
    reference,
    view,
    base_class,
    array_member,
    polymorphic,
    comparator,
    inherited_members,
    fixed_members,
    no_state,
};

template <refusal Why, class Culprit>
struct verdict {
    static constexpr refusal why = Why;
    using culprit = Culprit;
};

/// Types that are being looked at already: a recursive type is sendable when everything else in it
/// is.
template <class... T>
struct seen {};

template <class T, class S>
inline constexpr bool is_seen = false;
template <class T, class... S>
inline constexpr bool is_seen<T, seen<S...>> = (std::is_same_v<T, S> || ...);

template <class T, class... S>
seen<T, S...> with(seen<S...>);

template <class T, class Seen>
struct judge;

template <class Parts, class Seen>
struct judge_all;

template <class Seen>
struct judge_all<types<>, Seen> : verdict<refusal::none, void> {};

template <class T, class... Rest, class Seen>
struct judge_all<types<T, Rest...>, Seen>
    : std::conditional_t<judge<T, Seen>::why == refusal::none, judge_all<types<Rest...>, Seen>,
                         judge<T, Seen>> {};

/// Stateless order and hash functions are made anew on the other side; others would be lost.
template <class T>
consteval bool loses_functions() {
    if constexpr (requires { typename T::key_compare; })
        return !std::is_empty_v<typename T::key_compare>;
    else if constexpr (requires {
                           typename T::hasher;
                           typename T::key_equal;
                       })
        return !std::is_empty_v<typename T::hasher> || !std::is_empty_v<typename T::key_equal>;
    else
        return false;
}

template <class T>
concept declares_members = requires { &T::members; };
template <class T, class C, class R>
C class_of(R (C::*)());
template <class T, class C, class R>
C class_of(R (C::*)() const);

/// A class that inherits members() may have added state, which would be lost. (Sizes do not tell:
/// an added member may stand in what was padding.)
template <class T>
consteval bool inherits_members() {
    if constexpr (requires { class_of<T>(&T::members); })
        return !std::is_same_v<decltype(class_of<T>(&T::members)), T>;
    else
        return false;
}

template <class T>
consteval refusal own_refusal() {
    constexpr kind k = kind_of<T>;
    if constexpr (std::is_reference_v<T>) {
        return refusal::reference;
    } else if constexpr (k == kind::members) {
        if constexpr (inherits_members<T>())
            return refusal::inherited_members;
        else
            return codec_for<T>::by_reference || codec_for<T>::by_constructor
                       ? refusal::none
                       : refusal::fixed_members;
    } else if constexpr (k == kind::aggregate) {
        if constexpr (shape_of<T> == shape::has_base)
            return refusal::base_class;
        else if constexpr (shape_of<T> == shape::has_array)
            return refusal::array_member;
        else if constexpr (shape_of<T> == shape::has_reference)
            return refusal::reference;
        else
            return refusal::none;
    } else if constexpr (k == kind::pointer) {
        using object = typename T::element_type;
        if constexpr (std::is_array_v<object>)
            return refusal::pointer;
        else
            return std::is_polymorphic_v<object> && !std::is_final_v<object> ? refusal::polymorphic
                                                                             : refusal::none;
    } else if constexpr (k == kind::associative) {
        return loses_functions<T>() ? refusal::comparator : refusal::none;
    } else if constexpr (k == kind::none) {
        if constexpr (std::is_pointer_v<T>)
            return refusal::pointer;
        else if constexpr (std::is_class_v<T> && requires(T& x) {
                               x.begin();
                               x.end();
                           })
            return refusal::view;
        else
            return refusal::no_state;
    } else {
        return refusal::none;
    }
}

template <class T, class Seen, refusal = own_refusal<T>()>
struct judge_new : verdict<own_refusal<T>(), T> {};

template <class T, class Seen>
struct judge_new<T, Seen, refusal::none>
    : judge_all<typename codec_for<T>::parts, decltype(with<T>(Seen{}))> {};

template <class T, class Seen>
struct judge : judge_new<T, Seen> {};

template <class T, class Seen>
    requires is_seen<T, Seen>
struct judge<T, Seen> : verdict<refusal::none, void> {};

template <class T>
using judgement = judge<std::remove_cv_t<T>, seen<>>;

// --- whether encoding can fail once the size is known --------------------------------------------

template <class T, class Seen>
struct sure;

template <class Parts, class Seen>
inline constexpr bool all_sure = false;
template <class... T, class Seen>
inline constexpr bool all_sure<types<T...>, Seen> = (sure<std::remove_cv_t<T>, Seen>::value && ...);

template <class T, class Seen>
struct sure {
    static constexpr bool value = all_sure<typename codec_for<T>::parts, decltype(with<T>(Seen{}))>;
};

template <class T, class Seen>
    requires(kind_of<T> == kind::custom || kind_of<T> == kind::none)
struct sure<T, Seen> {
    static constexpr bool value = false;
};

template <class T, class Seen>
    requires(is_seen<T, Seen> && kind_of<T> != kind::custom && kind_of<T> != kind::none)
struct sure<T, Seen> {
    static constexpr bool value = true;
};

/// A codec of a user's or of a handle may throw whenever it likes, ours only while they count.
template <class T>
inline constexpr bool encodes_surely = sure<std::remove_cv_t<T>, seen<>>::value;

// --- what is said about it -----------------------------------------------------------------------

/// Culprit is the part of the value that cannot be sent; it shows in the compiler's notes.
template <class Culprit, refusal Why>
consteval void refuse() {
    static_assert(Why != refusal::pointer,
                  "coproc: a raw pointer (or unique_ptr to an array) means nothing in another "
                  "process: send the object, a std::unique_ptr "
                  "to it, or a coproc::shared_array");
    static_assert(Why != refusal::reference,
                  "coproc: a reference means nothing in another process: send the object itself");
    static_assert(Why != refusal::view,
                  "coproc: a view or a container of an unknown kind cannot be sent: send a std "
                  "container, or specialise coproc::enable_container");
    static_assert(Why != refusal::base_class,
                  "coproc: an aggregate with a base class cannot be taken apart: give it `auto "
                  "members() { return std::tie(...); }`");
    static_assert(Why != refusal::array_member,
                  "coproc: an aggregate with a C array cannot be taken apart: use std::array, or "
                  "give it `auto members() { return std::tie(...); }`");
    static_assert(Why != refusal::polymorphic,
                  "coproc: an owning pointer to a polymorphic class would arrive without its "
                  "derived part: make the class final, or use a std::variant");
    static_assert(Why != refusal::comparator,
                  "coproc: a container whose comparator or hash has state cannot be sent: the "
                  "other side could not make the same one");
    static_assert(Why != refusal::inherited_members,
                  "coproc: this class inherits members(), so state that it adds would be lost: "
                  "give it a members() of its own");
    static_assert(Why != refusal::fixed_members,
                  "coproc: members() must name its state by reference (std::tie) in a "
                  "default-constructible class, or what the class's constructor takes");
    static_assert(Why != refusal::no_state,
                  "coproc: this type cannot be sent to a worker process: make it a plain "
                  "aggregate, or give it `auto members() { return std::tie(...); }`");
}

} // namespace coproc::detail
