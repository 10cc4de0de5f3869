// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a pool accepts. A pool that may cross a process boundary checks that everything can; one of
// threads takes anything and copies nothing.

#include <coproc/codec.hpp>
#include <coproc/detail/check_job.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

template <class T>
using stored_t =
    typename std::conditional_t<std::is_void_v<T>, std::type_identity<void>, std::decay<T>>::type;

/// What a call yields when nothing is converted on the way.
template <class F, class... Args>
struct plain_result
    : std::conditional_t<std::is_invocable_v<F, Args...>, std::invoke_result<F, Args...>,
                         std::invoke_result<F&, Args...>> {};

/// What a call that is refused would have yielded, so that the compiler has only one thing to
/// complain about.
template <class F, class... Args>
struct refused_result : std::type_identity<void> {};
template <class F, class... Args>
    requires(std::is_invocable_v<F, Args...> || std::is_invocable_v<F&, Args...>)
struct refused_result<F, Args...>
    : std::type_identity<stored_t<typename plain_result<F, Args...>::type>> {};
template <class F, class... Args>
using refused_result_t = typename refused_result<F, Args...>::type;

/// The types in which a call's arguments are stored and passed.
template <class... T>
struct type_list {};
template <class List>
struct only_type;
template <class T>
struct only_type<type_list<T>> : std::type_identity<T> {};

struct sendable_policy {
    static constexpr bool remote = true;
    template <class F, class... Args>
    using arguments = type_list<travel_t<Args>...>;
    template <class F, class Tuple>
    using unpacked_argument = travel_t<Tuple>;
    template <class F, class... Args>
    static constexpr bool accepts = is_job<F, Args...>();
    template <class F, class... Args>
    using result = call_result_t<F, Args...>;
    /// Says what is wrong.
    template <class F, class... Args>
    static consteval void complain() {
        check_job<F, Args...>();
    }
};

/// Everything is passed as it is given. A function that takes only what would arrive in another
/// process (a vector where a view is given) gets that, so that the same code runs on both.
struct any_policy {
    static constexpr bool remote = false;
    template <class F, class... Args>
    static constexpr bool accepts =
        std::is_invocable_v<F, Args...> || std::is_invocable_v<F&, Args...>;

private:
    template <class F, class... Args>
    struct pick : std::type_identity<type_list<std::decay_t<Args>...>> {};
    template <class F, class... Args>
        requires(!accepts<F, std::decay_t<Args>...> && accepts<F, travel_t<Args>...>)
    struct pick<F, Args...> : std::type_identity<type_list<travel_t<Args>...>> {};
    template <class F, class Tuple>
    struct pick_unpacked;

public:
    template <class F, class... Args>
    using arguments = typename pick<F, Args...>::type;
    template <class F, class Tuple>
    using unpacked_argument = typename pick_unpacked<F, std::decay_t<Tuple>>::type;
    template <class F, class... Args>
    using result = stored_t<typename plain_result<F, Args...>::type>;
    template <class F, class... Args>
    static consteval void complain() {
        static_assert(accepts<F, Args...>, "coproc: the function cannot be called with these "
                                           "arguments; they are passed as decayed rvalues, "
                                           "as std::thread does");
    }
};

template <class T>
inline constexpr bool is_tuple = requires { std::tuple_size<std::remove_cvref_t<T>>::value; };

/// A function that takes a tuple, to be called with its elements: Policy's questions are asked
/// about these.
template <class Policy, class F, class Tuple,
          class Index = std::make_index_sequence<std::tuple_size_v<Tuple>>>
struct unpacked;
template <class Policy, class F, class Tuple, std::size_t... I>
struct unpacked<Policy, F, Tuple, std::index_sequence<I...>> {
    static constexpr bool accepted = Policy::template accepts<F, std::tuple_element_t<I, Tuple>...>;
    template <class Lazy = F>
    using result = typename Policy::template result<Lazy, std::tuple_element_t<I, Tuple>...>;
    using refused = refused_result_t<F, std::tuple_element_t<I, Tuple>...>;
    static consteval void complain() {
        Policy::template complain<F, std::tuple_element_t<I, Tuple>...>();
    }
};

template <class F, class Tuple>
struct any_policy::pick_unpacked : std::type_identity<Tuple> {};
template <class F, class Tuple>
    requires(!unpacked<any_policy, F, Tuple>::accepted &&
             unpacked<any_policy, F, travel_t<Tuple>>::accepted)
struct any_policy::pick_unpacked<F, Tuple> : std::type_identity<travel_t<Tuple>> {};

} // namespace coproc::detail
