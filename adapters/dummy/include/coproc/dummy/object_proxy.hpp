// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/operation.hpp>
#include <coproc/detail/trailing_token.hpp>
#include <coproc/dummy/detail/hosted.hpp>
#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/detail/travelled.hpp>
#include <coproc/dummy/detail/user_object.hpp>

#include <boost/asio/deferred.hpp>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::dummy {

/// coproc::object_proxy among the threads of one program, for an object of any class. call runs on
/// the calling thread; threads stand for the programs that coproc::object_proxy speaks of, so calls
/// of several run at the same time, unless the object was made by make_locked.
template <class T>
class object_proxy
    : public detail::threads::proxy_base<object_proxy<T>, detail::threads::user_object<T>> {
    using state_type = detail::threads::user_object<T>;
    using base = detail::threads::proxy_base<object_proxy, state_type>;

public:
    /// Empty: refers to no object.
    object_proxy() noexcept = default;
    /// For the manager.
    explicit object_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    /// Calls a member, or a callable with the object first; one that takes only what would arrive
    /// in another process gets that. Results are copied. Through within() it runs as async_call
    /// does, with copies of the arguments, and to its end also when this gives up. *Exceptions*:
    /// what the function throws; standard ones are a task_failure, too; timeout_error through
    /// within().
    template <class F, class... Args>
    auto call(F&& function, Args&&... args) const {
        using function_type = std::decay_t<F>;
        if constexpr (!takes<function_type, Args...> &&
                      takes<function_type, detail::threads::travelled_t<Args>...>) {
            return call(std::forward<F>(function),
                        detail::threads::travelled(std::forward<Args>(args))...);
        } else {
            if (!this->waits_for_ever()) {
                if constexpr (takes_copies<F, Args...>())
                    return call_within(std::forward<F>(function), std::forward<Args>(args)...);
                else
                    detail::threads::throw_needs_reference();
            }
            function_type own(std::forward<F>(function));
            return this->state().call(own, std::forward<Args>(args)...);
        }
    }

    /// The same on a thread of the library's; asynchronous calls on one object run in their order.
    /// *Completion signature*: void(std::exception_ptr, R), void(std::exception_ptr) for functions
    /// without a result. *Cancellation*: of any type; the wait ends at once with cancelled_error,
    /// the function runs all the same. A completion token may follow the arguments.
    template <class F, class... Args>
    auto async_call(F&& function, Args&&... args) const {
        if constexpr (detail::ends_with_token<call_of<std::decay_t<F>>::template with, Args...>())
            return detail::complete_with_last(
                [&](auto&&... x) {
                    return start(std::forward<F>(function), std::forward<decltype(x)>(x)...);
                },
                std::forward<Args>(args)...);
        else
            return start(std::forward<F>(function), std::forward<Args>(args)...);
    }

private:
    template <class F, class... Args>
    static constexpr bool takes = std::is_invocable_v<F&, T&, Args...>;
    /// Whether these are kept as what would arrive in another process.
    template <class F, class... Args>
    static constexpr bool takes_travelled =
        !takes<F, std::decay_t<Args>...> && takes<F, travel_t<Args>...>;

    template <class F>
    struct call_of {
        template <class... Args>
        using with = std::conditional_t<takes_travelled<F, Args...>,
                                        std::invoke_result<F&, T&, travel_t<Args>...>,
                                        std::invoke_result<F&, T&, std::decay_t<Args>...>>;
    };

    template <class F, class... Args>
    using result_of = std::decay_t<std::invoke_result_t<F&, T&, std::decay_t<Args>...>>;

    template <class F, class... Args>
    static consteval bool takes_copies() {
        using function = std::decay_t<F>;
        if constexpr ((std::is_constructible_v<std::decay_t<Args>, Args> && ...) &&
                      std::is_invocable_v<function&, T&, std::decay_t<Args>...>)
            return std::is_same_v<result_of<function, Args...>,
                                  std::decay_t<std::invoke_result_t<function&, T&, Args...>>>;
        else
            return false;
    }
    template <class R, class Kept>
    static detail::state_ptr<R> begin(std::shared_ptr<state_type> state,
                                      std::shared_ptr<Kept> kept) {
        const auto lane = state->lane;
        return detail::threads::call_on<R>(
            lane, [state = std::move(state), kept = std::move(kept)]() -> R {
                return std::apply(
                    [&](auto& function, auto&... args) -> R {
                        return state->call(function, std::move(args)...);
                    },
                    *kept);
            });
    }
    template <class F, class... Args>
    auto start(F&& function, Args&&... args) const {
        if constexpr (takes_travelled<std::decay_t<F>, Args...>) {
            return start(std::forward<F>(function),
                         detail::threads::travelled(std::forward<Args>(args))...);
        } else {
            using result = result_of<std::decay_t<F>, Args...>;
            static_cast<void>(this->state());
            return detail::async_start<result>(
                [state = this->held(), kept = detail::keep_arguments(std::forward<F>(function),
                                                                     std::forward<Args>(args)...)] {
                    return begin<result>(state, kept);
                },
                boost::asio::deferred);
        }
    }
    template <class F, class... Args>
    auto call_within(F&& function, Args&&... args) const {
        const auto until = detail::deadline_after(this->patience());
        static_cast<void>(this->state());
        const auto called = begin<result_of<std::decay_t<F>, Args...>>(
            this->held(),
            detail::keep_arguments(std::forward<F>(function), std::forward<Args>(args)...));
        if (!called->wait(until)) detail::threads::throw_gave_up();
        return called->take();
    }
};

} // namespace coproc::dummy
