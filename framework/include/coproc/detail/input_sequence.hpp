// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a map reads: a std range, or one of range-v3 that does not model std's concepts (it is
// iterated by hand, so that no header of range-v3 is needed).

#include <coproc/detail/travel.hpp>

#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>
#include <utility>

namespace coproc::detail {

template <class T>
concept foreign_range = !std::ranges::input_range<T> && requires(T& r) {
    { r.begin() != r.end() } -> std::convertible_to<bool>;
    *r.begin();
    ++std::declval<decltype(r.begin())&>();
};

template <class T>
concept input_sequence = std::ranges::input_range<T> || foreign_range<T>;

template <input_sequence T>
auto sequence_begin(T& r) {
    if constexpr (std::ranges::input_range<T>)
        return std::ranges::begin(r);
    else
        return r.begin();
}

template <input_sequence T>
auto sequence_end(T& r) {
    if constexpr (std::ranges::input_range<T>)
        return std::ranges::end(r);
    else
        return r.end();
}

template <class T>
struct sequence_value {
    using type = std::decay_t<decltype(*std::declval<T&>().begin())>;
};
template <std::ranges::input_range T>
struct sequence_value<T> {
    using type = std::ranges::range_value_t<T>;
};
template <input_sequence T>
using sequence_value_t = typename sequence_value<std::remove_reference_t<T>>::type;

/// What is read once, and yields what is nowhere else.
template <class Range>
inline constexpr bool hands_items_over = false;

/// A container that was given away: what stands in it is moved out of it. One that is not known
/// might own nothing.
template <class Range>
inline constexpr bool gives_items_away =
    !std::is_lvalue_reference_v<Range> && !std::is_const_v<std::remove_reference_t<Range>> &&
    (kind_of<std::remove_cvref_t<Range>> != kind::none ||
     hands_items_over<std::remove_cvref_t<Range>>);

// g++ warns of the conversion from range-v3's references to pairs.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"

/// One item as it is stored; `Range` is deduced as for a forwarding reference.
template <class Item, class Range, class Reference>
Item take_item(Reference&& item) {
    if constexpr (gives_items_away<Range> && std::is_same_v<Reference, Item&>)
        return static_cast<Item&&>(item); // an lvalue, but of a container that was given away
    else if constexpr (std::is_constructible_v<Item, Reference>)
        return Item(std::forward<Reference>(item));
    else if constexpr (std::is_same_v<std::remove_cvref_t<Reference>, Item>)
        static_assert(std::is_constructible_v<Item, Reference>,
                      "coproc: the items of this range cannot be copied, only moved: give the "
                      "container away (std::move), or have a view move them "
                      "(std::views::transform([](auto& x) { return std::move(x); }))");
    else
        return to_travel(sequence_value_t<Range>(std::forward<Reference>(item)));
}

#pragma GCC diagnostic pop

template <class T>
std::size_t size_hint(T& r) {
    if constexpr (std::ranges::sized_range<T>)
        return static_cast<std::size_t>(std::ranges::size(r));
    else
        return 0;
}

} // namespace coproc::detail
