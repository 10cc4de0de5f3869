// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/operation.hpp>
#include <coproc/detail/trailing_token.hpp>
#include <coproc/dummy/detail/hosted.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail::threads {

/// One of a few threads; what is posted to one executor runs in order, one at a time.
[[nodiscard]] boost::asio::any_io_executor call_lane();
/// The exception in flight, as a process would send it back.
[[noreturn]] void rethrow_from_call();

template <class T>
struct user_object {
    template <class... Args>
    explicit user_object(bool one_at_a_time, Args&&... args)
        : locked{one_at_a_time}, value(std::forward<Args>(args)...) {}

    template <class F, class... Args>
    auto call(F& function, Args&&... args) -> std::decay_t<std::invoke_result_t<F&, T&, Args...>> {
        std::unique_lock lock{mutex, std::defer_lock};
        if (locked) lock.lock();
        try {
            return std::invoke(function, value, std::forward<Args>(args)...);
        } catch (...) {
            rethrow_from_call();
        }
    }

    bool locked;
    std::mutex mutex{};
    boost::asio::any_io_executor lane = call_lane(); // of asynchronous calls
    T value;
};

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::object_proxy among the threads of one program, for an object of any class. call runs on
/// the calling thread; threads stand for the programs that coproc::object_proxy speaks of, so calls
/// of several run at the same time, unless the object was made by make_locked.
template <class T>
class object_proxy : public detail::threads::proxy_base<detail::threads::user_object<T>> {
    using state_type = detail::threads::user_object<T>;
    using base = detail::threads::proxy_base<state_type>;

public:
    /// Empty: refers to no object.
    object_proxy() noexcept = default;
    /// For the manager.
    explicit object_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    /// Calls a member, or a callable with the object first. Results are copied. *Exceptions*: what
    /// the function throws; standard ones are a task_failure, too.
    template <class F, class... Args>
    auto call(F&& function, Args&&... args) const {
        std::decay_t<F> own(std::forward<F>(function));
        return this->state().call(own, std::forward<Args>(args)...);
    }

    /// The same on a thread of the library's; asynchronous calls on one object run in their order.
    /// *Completion signature*: void(std::exception_ptr, R), void(std::exception_ptr) for functions
    /// without a result. *Cancellation*: none, as in a process. A completion token may follow the
    /// arguments.
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
    template <class F>
    struct call_of {
        template <class... Args>
        using with = std::invoke_result<F&, T&, std::decay_t<Args>...>;
    };

    template <class F, class... Args>
    auto start(F&& function, Args&&... args) const {
        using function_type = std::decay_t<F>;
        using result =
            std::decay_t<std::invoke_result_t<function_type&, T&, std::decay_t<Args>...>>;
        static_cast<void>(this->state());
        auto kept = std::make_shared<std::tuple<function_type, std::decay_t<Args>...>>(
            std::forward<F>(function), std::forward<Args>(args)...);
        return detail::async_start<result>(
            [state = this->held(), kept]() -> detail::state_ptr<result> {
                boost::intrusive_ptr<detail::operation<result>> made{new detail::operation<result>};
                boost::asio::post(state->lane, [state, kept, made] { run(*state, *kept, *made); });
                return made;
            },
            boost::asio::deferred);
    }
    template <class Kept, class R>
    static void run(state_type& state, Kept& kept, detail::operation<R>& waiting) noexcept {
        try {
            const auto call = [&](auto& function, auto&... args) -> R {
                return state.call(function, std::move(args)...);
            };
            if constexpr (std::is_void_v<R>) {
                std::apply(call, kept);
                waiting.succeed();
            } else {
                waiting.succeed(std::apply(call, kept));
            }
        } catch (...) {
            waiting.fail(std::current_exception());
        }
    }
};

} // namespace coproc::dummy
