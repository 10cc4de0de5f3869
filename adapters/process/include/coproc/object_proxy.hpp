// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>
#include <coproc/detail/remote_call.hpp>
#include <coproc/detail/trailing_token.hpp>
#include <coproc/error.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coproc {

/// An object of a class of yours that lives in a manager's server: what Python's
/// BaseManager.register is for, without registering. A handle, as dict_proxy is; the object is
/// destroyed with its last proxy.
///
///     auto c = manager.make<counter>();
///     c.call(&counter::add, 5);
///
/// Calls of one program on one object run one after another, in their order, however many are under
/// way; those of different programs run at the same time, as in Python, so the class must
/// synchronise itself, unless it was made by make_locked. Both ends must be the same build of the
/// program. Thread safe. *Exceptions* of calls: what the function throws, as a task's exception
/// arrives; serialization_error when the server is another build; end_of_stream_error when it is
/// gone; timeout_error through within(), and the function runs all the same.
template <class T>
class object_proxy : public detail::proxy_base<object_proxy<T>> {
    using op = detail::manager_op;

public:
    /// Empty: refers to no object.
    object_proxy() noexcept = default;

    /// Calls a member function (const, noexcept, inherited), reads a data member, or calls a
    /// callable with the object first, over there. Arguments arrive as travel types, as in a pool's
    /// calls.
    template <class F, class... Args>
    auto call(F&& function, Args&&... args) const {
        detail::check_remote_call<T, F, Args...>();
        if constexpr (detail::can_call_remotely<T, F, Args...>()) {
            using function_type = std::decay_t<F>;
            using result = detail::remote_result_t<T, function_type, Args...>;
            require_same_build();
            return this->template get_<result>(
                op::call, pack_call<function_type>(function, std::forward<Args>(args)...));
        }
    }

    /// *Completion signature*: void(std::exception_ptr, R), void(std::exception_ptr) for functions
    /// without a result; R is default constructible. *Cancellation*: of any type; the wait ends at
    /// once with cancelled_error, the function runs all the same. The arguments are copied now.
    /// With g++ 12, name the operation first and await it on the next line, as for a pool's calls.
    ///
    /// Returns a deferred operation: await it, or call it with a completion token. The token may
    /// also follow the arguments.
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

    /// For the library: the name by which programs agree on the type.
    static std::string type() {
        return "object<" + detail::plain_type_name(detail::type_name<T>()) + ">";
    }

private:
    template <class F>
    struct call_of {
        template <class... Args>
        using with = std::invoke_result<F&, T&, travel_t<Args>...>;
    };

    template <class F, class... Args>
    auto start(F&& function, Args&&... args) const {
        detail::check_remote_call<T, F, Args...>();
        if constexpr (detail::can_call_remotely<T, F, Args...>()) {
            using function_type = std::decay_t<F>;
            using result = detail::remote_result_t<T, function_type, Args...>;
            require_same_build();
            auto kept =
                detail::keep_arguments(function, detail::to_travel(std::forward<Args>(args))...);
            return this->template start_<result, op::call>(boost::asio::deferred, [kept] {
                return std::apply(
                    [](const auto&... x) { return pack_kept<result, travel_t<Args>...>(x...); },
                    *kept);
            });
        }
    }
    void require_same_build() const {
        if (!detail::held(this->object()).same_build())
            throw serialization_error{detail::other_build_text};
    }
    template <class F, class... Args>
    static detail::remote_payload pack_call(const F& function, Args&&... args) {
        using result = detail::remote_result_t<T, F, Args...>;
        return pack_kept<result, travel_t<Args>...>(function,
                                                    detail::to_travel(std::forward<Args>(args))...);
    }
    template <class R, class... Args, class F>
    static detail::remote_payload pack_kept(const F& function, const Args&... args) {
        const auto invoker =
            reinterpret_cast<const void*>(&detail::remote_invoke<T, F, R, Args...>::invoke);
        detail::sizer s;
        detail::size_function(s, invoker);
        detail::size_call(s, function, args...);
        detail::remote_payload result;
        result.bytes.resize(s.size());
        detail::writer w{result.bytes, &result.descriptors};
        detail::encode_function(w, invoker);
        detail::encode_call(w, function, args...);
        return result;
    }
};

template <class T>
struct codec<object_proxy<T>> : detail::proxy_codec<object_proxy<T>> {};

} // namespace coproc
