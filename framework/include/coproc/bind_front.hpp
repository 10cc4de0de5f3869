// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Callables with state that can cross to another process. A lambda's captures cannot be taken out
// of it, so what would have been a capture is bound instead:
//
//     pool.map(coproc::bind_front([](const table& t, int key) { return t.at(key); }, table), keys);

#include <coproc/codec.hpp>

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc {

/// What bind_front returns: like that of std::bind_front, and sendable when the function and the
/// state are. A class with constructors on purpose: it may be made inside a co_await expression
/// (g++ 12 miscompiles aggregates there).
template <class F, class... State>
class bound_front {
public:
    bound_front(F function, State... state)
        : function_(std::move(function)), state_(std::move(state)...) {}

    template <class... Args>
        requires std::is_invocable_v<F&, State&..., Args...>
    decltype(auto) operator()(Args&&... args) & {
        return call(function_, state_, std::forward<Args>(args)...);
    }
    template <class... Args>
        requires std::is_invocable_v<const F&, const State&..., Args...>
    decltype(auto) operator()(Args&&... args) const& {
        return call(function_, state_, std::forward<Args>(args)...);
    }
    template <class... Args>
        requires std::is_invocable_v<F, State..., Args...>
    decltype(auto) operator()(Args&&... args) && {
        return call(std::move(function_), std::move(state_), std::forward<Args>(args)...);
    }

private:
    friend codec<bound_front>;

    template <class Function, class Tuple, class... Args>
    static decltype(auto) call(Function&& function, Tuple&& state, Args&&... args) {
        return std::apply(
            [&](auto&&... bound) -> decltype(auto) {
                return std::invoke(std::forward<Function>(function),
                                   std::forward<decltype(bound)>(bound)...,
                                   std::forward<Args>(args)...);
            },
            std::forward<Tuple>(state));
    }

    F function_;
    std::tuple<State...> state_;
};

/// Binds the first parameters of a function to values that travel with it. String literals are
/// bound as std::string, views as std::vector.
template <class F, class... State>
[[nodiscard]] auto bind_front(F&& function, State&&... state) {
    return bound_front<std::decay_t<F>, travel_t<State>...>(
        std::forward<F>(function), detail::to_travel(std::forward<State>(state))...);
}

/// A lambda whose captures are sent as the bytes they are.
template <class F>
class trusted_captures {
    static_assert(std::is_trivially_copyable_v<F>,
                  "coproc: trust_captures takes a callable whose captures are trivially copyable; "
                  "bind_front takes any");

public:
    explicit trusted_captures(const F& function) : function_(function) {}

    template <class... Args>
        requires std::is_invocable_v<F&, Args...>
    decltype(auto) operator()(Args&&... args) {
        return std::invoke(function_, std::forward<Args>(args)...);
    }
    template <class... Args>
        requires std::is_invocable_v<const F&, Args...>
    decltype(auto) operator()(Args&&... args) const {
        return std::invoke(function_, std::forward<Args>(args)...);
    }

private:
    friend codec<trusted_captures>;

    F function_;
};

/// Sends a capturing lambda as it lies in memory. The caller vouches that its captures mean the
/// same in another process: numbers do; pointers and references do not, and nothing checks that.
template <class F>
[[nodiscard]] trusted_captures<std::decay_t<F>> trust_captures(F&& function) {
    return trusted_captures<std::decay_t<F>>(function);
}

// --- how they travel -----------------------------------------------------------------------------

template <class F, class... State>
struct codec<bound_front<F, State...>> {
    using bound = bound_front<F, State...>;
    using parts = detail::types<F, State...>;

    static void size(detail::sizer& s, const bound& value) {
        detail::size(s, value.function_);
        std::apply([&](const State&... x) { (detail::size(s, x), ...); }, value.state_);
    }
    static void encode(detail::writer& w, const bound& value) {
        detail::encode(w, value.function_);
        std::apply([&](const State&... x) { (detail::encode(w, x), ...); }, value.state_);
    }
    static bound decode(detail::reader& r) {
        return bound{detail::decode<F>(r), detail::decode<State>(r)...};
    }
};

template <class F>
struct codec<trusted_captures<F>> {
    using bits = detail::as_bits<F>;

    static void size(detail::sizer& s, const trusted_captures<F>&) { s.bytes(sizeof(F)); }
    static void encode(detail::writer& w, const trusted_captures<F>& value) {
        bits::put(w.claim(sizeof(F)), value.function_);
    }
    static trusted_captures<F> decode(detail::reader& r) {
        return trusted_captures<F>{bits::get(r.bytes(sizeof(F)))};
    }
};

} // namespace coproc
