// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Calls on objects that live in a manager's server: how the client writes them, and the functions
// that read and make them over there.

#include <coproc/codec.hpp>
#include <coproc/detail/call_invoker.hpp>
#include <coproc/detail/check_job.hpp>

#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

using object_maker = std::shared_ptr<void> (*)(reader&);
using object_invoker = void (*)(call_context&, void* object);

template <class T, class... Args>
struct remote_make {
    static std::shared_ptr<void> make(reader& in) {
        std::tuple<Args...> args{decode<Args>(in)...};
        return std::apply(
            [](Args&... x) -> std::shared_ptr<void> {
                if constexpr (std::is_constructible_v<T, Args...>)
                    return std::make_shared<T>(std::move(x)...);
                else
                    return std::shared_ptr<T>{new T{std::move(x)...}};
            },
            args);
    }
};

/// What calling F with a T and these arguments returns, as it arrives.
template <class T, class F, class... Args>
using remote_result_t =
    typename std::conditional_t<std::is_void_v<std::invoke_result_t<F&, T&, travel_t<Args>...>>,
                                std::type_identity<void>,
                                travel<std::invoke_result_t<F&, T&, travel_t<Args>...>>>::type;

template <class T, class F, class R, class... Args>
struct remote_invoke {
    static void invoke(call_context& call, void* object) {
        T& self = *static_cast<T*>(object);
        if constexpr (std::is_void_v<R>) {
            run(call.in(), self);
            call.reply(0, 0);
        } else {
            auto result = std::make_shared<R>(run(call.in(), self));
            sizer s;
            size(s, *result);
            writer& out = call.reply(s.size(), s.descriptors());
            encode(out, *result);
            if (s.descriptors() != 0) call.keep(std::move(result)); // the reply borrows them
        }
    }

private:
    static R run(reader& in, T& self) {
        F function = decode<F>(in);
        std::tuple<Args...> args{decode<Args>(in)...};
        return std::apply(
            [&](Args&... x) -> R {
                if constexpr (std::is_void_v<R>)
                    static_cast<void>(std::invoke(function, self, std::move(x)...));
                else
                    return to_travel(std::invoke(function, self, std::move(x)...));
            },
            args);
    }
};

template <class T, class F, class... Args>
consteval bool can_call_remotely() {
    if constexpr (!sendable<std::decay_t<F>> || !(sendable<travel_t<Args>> && ...))
        return false;
    else if constexpr (!std::is_invocable_v<std::decay_t<F>&, T&, travel_t<Args>...>)
        return false;
    else
        return is_result<remote_result_t<T, std::decay_t<F>, Args...>>;
}

/// One readable line for the first thing that is wrong.
template <class T, class F, class... Args>
consteval void check_remote_call() {
    if constexpr (!sendable<std::decay_t<F>>) {
        check_callable<F>();
    } else if constexpr (!(sendable<travel_t<Args>> && ...)) {
        (require_sendable<travel_t<Args>>(), ...);
    } else if constexpr (!std::is_invocable_v<std::decay_t<F>&, T&, travel_t<Args>...>) {
        static_assert(std::is_invocable_v<std::decay_t<F>&, T&, travel_t<Args>...>,
                      "coproc: this member cannot be called on the object with these arguments as "
                      "they arrive: decayed rvalues, string literals and string_view as "
                      "std::string, spans and views as std::vector");
    } else {
        using result = remote_result_t<T, std::decay_t<F>, Args...>;
        if constexpr (!is_result<result>) require_sendable<result>();
    }
}

} // namespace coproc::detail
