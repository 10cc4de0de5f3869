// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/operation.hpp>

#include <type_traits>
#include <utility>

namespace coproc::detail::threads {

/// The asynchronous form of a call that waits for nobody. *Completion signature*:
/// void(std::exception_ptr, R), void(std::exception_ptr) for void. *Cancellation*: it is done
/// already.
template <class R, class F, class Token>
auto async_now(F call, Token&& token) {
    return async_start<R>(
        [call = std::move(call)]() mutable -> state_ptr<R> {
            boost::intrusive_ptr<operation<R>> made{new operation<R>};
            if constexpr (std::is_void_v<R>) {
                call();
                made->succeed();
            } else {
                made->succeed(call());
            }
            return made;
        },
        std::forward<Token>(token));
}

} // namespace coproc::detail::threads
