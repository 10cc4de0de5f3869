// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/asio/async_result.hpp>

#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

template <class R>
struct completion_signature {
    using type = void(std::exception_ptr, R);
};
template <>
struct completion_signature<void> {
    using type = void(std::exception_ptr);
};

/// `Result<Args...>` is what a call with the arguments returns; it has no `type` when they do not
/// fit. Arguments end with a token if they fit only without the last one, and that can complete
/// such a call: a callable is never deprived of an argument that it takes.
template <template <class...> class Result, class... Args, std::size_t... I>
consteval bool ends_with_token(std::index_sequence<I...>) {
    using all = std::tuple<Args...>;
    if constexpr (
        !requires { typename Result<Args...>::type; } &&
        requires { typename Result<std::tuple_element_t<I, all>...>::type; }) {
        using result = std::decay_t<typename Result<std::tuple_element_t<I, all>...>::type>;
        return boost::asio::completion_token_for<std::tuple_element_t<sizeof...(I), all>,
                                                 typename completion_signature<result>::type>;
    } else {
        return false;
    }
}
template <template <class...> class Result, class... Args>
consteval bool ends_with_token() {
    if constexpr (sizeof...(Args) == 0)
        return false;
    else
        return ends_with_token<Result, Args...>(std::make_index_sequence<sizeof...(Args) - 1>{});
}

/// `start(all but the last argument...)(the last one)`.
template <class Start, class... Args>
auto complete_with_last(Start start, Args&&... args) {
    auto all = std::forward_as_tuple(std::forward<Args>(args)...);
    constexpr std::size_t last = sizeof...(Args) - 1;
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return start(std::get<I>(std::move(all))...)(std::get<last>(std::move(all)));
    }(std::make_index_sequence<last>{});
}

} // namespace coproc::detail
