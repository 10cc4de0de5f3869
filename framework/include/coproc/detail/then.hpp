// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Callbacks and promises on a result: continuations that run a user's code, posted to the callback
// executor.

#include <coproc/detail/bump_allocator.hpp>
#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/result_core.hpp>

#include <cstddef>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// A state with callbacks has several readers: see result_state::take.
template <class R, class OnValue, class OnError>
class then_continuation final : public continuation, public bump_allocated, private callback {
public:
    using state_pointer = boost::intrusive_ptr<result_state<R>>;

    template <class V, class E>
    then_continuation(state_pointer state, V&& on_value, E&& on_error)
        : state_{std::move(state)},
          on_value_(std::forward<V>(on_value)),
          on_error_(std::forward<E>(on_error)) {}

    void resume() noexcept override {
        post_callback(state_->callback_executor(), std::unique_ptr<callback>{this});
    }
    ~then_continuation() override = default;

private:
    void call() noexcept override {
        const std::unique_ptr<then_continuation> self{this};
        show();
    }

    void show() noexcept {
        if (const auto& error = state_->error()) {
            show(error);
        } else if constexpr (!std::is_same_v<OnValue, std::nullptr_t>) {
            if constexpr (std::is_void_v<R>)
                run_callback(*state_, [&] { on_value_(); });
            else if (!state_->read(
                         [&](const R& value) { run_callback(*state_, [&] { on_value_(value); }); }))
                show(std::make_exception_ptr(
                    std::future_error{std::future_errc::future_already_retrieved}));
        }
    }
    void show(const std::exception_ptr& error) noexcept {
        if constexpr (std::is_invocable_v<OnError&, const std::exception_ptr&>)
            run_callback(*state_, [&] { on_error_(error); });
        else if constexpr (!std::is_same_v<OnError, std::nullptr_t>)
            run_callback(*state_, [&] {
                try {
                    std::rethrow_exception(error);
                } catch (const std::exception& e) {
                    on_error_(e);
                }
            });
    }

    state_pointer state_;
    OnValue on_value_;
    OnError on_error_;
};

template <class R, class OnValue, class OnError>
void attach_then(const boost::intrusive_ptr<result_state<R>>& state, OnValue&& on_value,
                 OnError&& on_error) {
    using error_callback = std::decay_t<OnError>;
    static_assert(
        std::is_same_v<error_callback, std::nullptr_t> ||
            std::is_invocable_v<error_callback&, const std::exception_ptr&> ||
            std::is_invocable_v<error_callback&, const std::exception&>,
        "coproc: the error callback takes a std::exception_ptr (or a const std::exception&)");
    if constexpr (!std::is_same_v<error_callback, std::nullptr_t>) state->mark_observed();
    if constexpr (!std::is_void_v<R>) state->add_reader();
    auto* waiting = new then_continuation<R, std::decay_t<OnValue>, error_callback>{
        state, std::forward<OnValue>(on_value), std::forward<OnError>(on_error)};
    if (!state->attach(*waiting)) waiting->resume();
}

template <class R>
class promise_continuation final : public continuation {
public:
    explicit promise_continuation(boost::intrusive_ptr<result_state<R>> state)
        : state_{std::move(state)} {}
    std::future<R> future() { return promise_.get_future(); }

    void resume() noexcept override {
        std::unique_ptr<promise_continuation> self{this};
        if (state_->has_readers())
            post_callback(state_->callback_executor(), [self = std::move(self)] { self->keep(); });
        else
            keep();
    }
    ~promise_continuation() override = default;

private:
    void keep() noexcept {
        try {
            if constexpr (std::is_void_v<R>) {
                state_->take();
                promise_.set_value();
            } else {
                promise_.set_value(state_->take());
            }
        } catch (...) {
            promise_.set_exception(std::current_exception());
        }
    }

    boost::intrusive_ptr<result_state<R>> state_;
    std::promise<R> promise_;
};

template <class R>
std::future<R> attach_promise(const boost::intrusive_ptr<result_state<R>>& state) {
    auto* waiting = new promise_continuation<R>{state};
    auto future = waiting->future();
    if (!state->attach(*waiting)) waiting->resume();
    return future;
}

} // namespace coproc::detail
