// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a function and its arguments must be to run in another process, and what is said when they
// are not.

#include <coproc/codec.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// Calls as an rvalue, as std::thread does; a callable that only takes calls as an lvalue gets
/// those.
template <class F, class... Args>
decltype(auto) invoke_once(F& function, Args&&... args) {
    if constexpr (std::is_invocable_v<F, Args...>)
        return std::invoke(std::move(function), std::forward<Args>(args)...);
    else
        return std::invoke(function, std::forward<Args>(args)...);
}

template <class F, class... Args>
inline constexpr bool can_call = std::is_invocable_v<std::decay_t<F>, travel_t<Args>...> ||
                                 std::is_invocable_v<std::decay_t<F>&, travel_t<Args>...>;

template <class F, class... Args>
struct call_result : std::conditional_t<std::is_invocable_v<std::decay_t<F>, travel_t<Args>...>,
                                        std::invoke_result<std::decay_t<F>, travel_t<Args>...>,
                                        std::invoke_result<std::decay_t<F>&, travel_t<Args>...>> {};

/// What the function returns, as it arrives: void, or the travel type.
template <class F, class... Args>
using call_result_t =
    typename std::conditional_t<std::is_void_v<typename call_result<F, Args...>::type>,
                                std::type_identity<void>,
                                travel<typename call_result<F, Args...>::type>>::type;

template <class R>
inline constexpr bool is_result =
    std::is_void_v<R> || sendable<std::conditional_t<std::is_void_v<R>, int, R>>;

template <class F>
consteval void check_callable() {
    using callable = std::decay_t<F>;
    using found = judgement<callable>;
    if constexpr (found::why != refusal::none) {
        constexpr bool itself =
            std::is_same_v<typename found::culprit, callable> && kind_of<callable> == kind::none;
        static_assert(
            !itself,
            "coproc: a lambda with captures (or a callable with hidden state, such as "
            "std::function) cannot be sent to another process: "
            "pass what it captures as arguments, or bind it with coproc::bind_front(f, state...)");
        if constexpr (!itself) require_sendable<callable>();
    }
}

/// For whoever takes a function with arguments: one readable line for the first thing that is
/// wrong.
template <class F, class... Args>
consteval void check_job() {
    if constexpr (!sendable<std::decay_t<F>>) {
        check_callable<F>();
    } else if constexpr (!(sendable<travel_t<Args>> && ...)) {
        (require_sendable<travel_t<Args>>(), ...);
    } else if constexpr (!can_call<F, Args...>) {
        static_assert(can_call<F, Args...>,
                      "coproc: the function cannot be called with these arguments as they arrive: "
                      "decayed rvalues, string literals and "
                      "string_view as std::string, spans and views as std::vector");
    } else if constexpr (!is_result<call_result_t<F, Args...>>) {
        require_sendable<call_result_t<F, Args...>>();
    }
}

template <class F, class... Args>
consteval bool is_job() {
    if constexpr (!sendable<std::decay_t<F>> || !(sendable<travel_t<Args>> && ...))
        return false;
    else if constexpr (!can_call<F, Args...>)
        return false;
    else
        return is_result<call_result_t<F, Args...>>;
}

} // namespace coproc::detail
