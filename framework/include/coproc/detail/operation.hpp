// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The asynchronous forms of locks, queues, pipes and processes (async_lock, async_get, ...): an
// operation is started when its token says so, and whoever waits for it waits as for a task's
// result.

#include <coproc/detail/async_take.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// What the asynchronous form of a call that returns an R can be completed with.
template <class Token, class R>
concept token_for = boost::asio::completion_token_for<Token, result_signature_t<R>>;

/// A wait under way. It may be finished from several sides (what it waited for, its cancellation,
/// the end of what it waited on): the first to claim() it finishes it.
///
/// A derived class overrides cancel() to claim it, to take it off its list, and to
/// fail(cancelled_error). An error that nobody fetches is nobody's loss: it is not reported.
template <class R>
class operation : public result_state<R> {
public:
    operation() noexcept { this->mark_observed(); }

    /// True for one caller, who then calls succeed() or fail().
    [[nodiscard]] bool claim() noexcept {
        return !claimed_.exchange(true, std::memory_order_acq_rel);
    }

    template <class... Value>
    void succeed(Value&&... value) noexcept {
        try {
            this->emplace(std::forward<Value>(value)...);
        } catch (...) {
            this->set_error(std::current_exception());
        }
        this->complete();
    }
    void fail(std::exception_ptr error) noexcept {
        this->set_error(std::move(error));
        this->complete();
    }

    void abandon() noexcept override { static_cast<void>(this->cancel()); }

private:
    std::atomic<bool> claimed_{false};
};

/// An operation that has failed before it began.
template <class R>
state_ptr<R> failed_operation(std::exception_ptr error) {
    state_ptr<R> state{new operation<R>};
    static_cast<operation<R>&>(*state).fail(std::move(error));
    return state;
}

/// An operation whose work is done by another one without a value: the part that knows R puts the
/// value here, the part that waits does not know R.
template <class R>
class relayed final : public result_state<R>, private continuation {
public:
    /// `start(state)` returns the operation that waits. Before that ends without an error,
    /// `state.emplace(...)` has been called.
    template <class Start>
    static state_ptr<R> run(Start&& start) {
        boost::intrusive_ptr<relayed> self{new relayed};
        self->mark_observed();
        self->inner_ = std::forward<Start>(start)(*self);
        self->held_ = self;
        if (!self->inner_->attach(*self)) self->resume();
        return self;
    }

    bool cancel() noexcept override {
        if (!inner_->cancel()) return false;
        // The value that was there has been given back, and nobody has seen it.
        if (this->ready()) this->set_error(inner_->error());
        return true;
    }
    void abandon() noexcept override { static_cast<void>(cancel()); }

private:
    void resume() noexcept override {
        const auto held = std::move(held_);
        if (inner_->error()) this->set_error(inner_->error());
        this->complete();
    }

    state_ptr<void> inner_;
    boost::intrusive_ptr<relayed> held_;
};

template <class R>
struct initiate_operation {
    template <class Handler, class Start>
    void operator()(Handler&& handler, Start&& start) const {
        state_ptr<R> state;
        try {
            state = std::forward<Start>(start)();
        } catch (...) {
            state = failed_operation<R>(std::current_exception());
        }
        initiate_take{}(std::forward<Handler>(handler), std::move(state));
    }

    // Inside Asio's binders g++ 12 takes an empty object for an uninitialised one, and warns.
    char not_empty = 0;
};

/// The arguments of an operation that is started later.
template <class... T>
auto keep_arguments(T&&... values) {
    return std::make_shared<std::tuple<std::decay_t<T>...>>(std::forward<T>(values)...);
}

/// `start` is called when the operation is initiated (with asio::deferred: when it is awaited), on
/// the initiating thread, and returns a state_ptr<R>; what it throws completes the operation.
///
/// Completion signature: void(std::exception_ptr, R), void(std::exception_ptr) for void, on the
/// handler's associated executor. Cancellation of any type calls the state's cancel().
template <class R, class Start, class Token>
auto async_start(Start start, Token&& token) {
    static_assert(std::is_void_v<R> || std::is_default_constructible_v<R>,
                  "coproc: awaiting a value needs a default-constructible type (an Asio handler "
                  "gets a value also with an error)");
    return boost::asio::async_initiate<Token, result_signature_t<R>>(initiate_operation<R>{}, token,
                                                                     std::move(start));
}

} // namespace coproc::detail
