// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Waiting on a condition again and again, until what was waited for holds.

#include <coproc/detail/operation.hpp>

#include <boost/asio/compose.hpp>

#include <concepts>
#include <exception>
#include <utility>

namespace coproc::detail {

/// The predicate of a wait; what can also be its handler is taken for that.
template <class P>
concept wait_predicate =
    std::predicate<std::decay_t<P>&> && std::move_constructible<std::decay_t<P>> &&
    !boost::asio::completion_token_for<P, void(std::exception_ptr)>;

/// `wait()` starts one wait and returns its state_ptr<void>. The first time `done()` is called
/// where the operation is started, and after that where the handler runs; always with the lock
/// held.
template <class Wait, class Predicate>
class predicate_wait {
public:
    template <class P>
    predicate_wait(Wait wait, P&& done) : wait_{std::move(wait)}, done_(std::forward<P>(done)) {}

    template <class Self>
    void operator()(Self& self) {
        self.reset_cancellation_state(boost::asio::enable_total_cancellation());
        proceed(self);
    }
    template <class Self>
    void operator()(Self& self, const std::exception_ptr& error) {
        if (error || over_) return self.complete(error);
        proceed(self);
    }

private:
    template <class Self>
    void proceed(Self& self) {
        state_ptr<void> next;
        try {
            over_ = done_();
            if (over_)
                next = finished();
            else if (self.get_cancellation_state().cancelled() !=
                     boost::asio::cancellation_type::none)
                next = failed_operation<void>(
                    std::make_exception_ptr(cancelled_error{"coproc: the wait was cancelled"}));
            else
                next = wait_();
        } catch (...) {
            next = failed_operation<void>(std::current_exception());
        }
        async_take(std::move(next), std::move(self));
    }
    static state_ptr<void> finished() {
        state_ptr<void> state{new result_state<void>};
        state->complete();
        return state;
    }

    Wait wait_;
    Predicate done_;
    bool over_ = false;
};

template <class Wait, class Predicate, class Token>
auto async_wait_until(Wait wait, Predicate&& done, Token&& token) {
    return boost::asio::async_compose<Token, void(std::exception_ptr)>(
        predicate_wait<Wait, std::decay_t<Predicate>>{std::move(wait),
                                                      std::forward<Predicate>(done)},
        token);
}

} // namespace coproc::detail
