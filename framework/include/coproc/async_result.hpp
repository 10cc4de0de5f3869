// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/async_take.hpp>
#include <coproc/detail/then.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <future>
#include <optional>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

/// The result of a task that runs elsewhere: a move-only handle. Wait for it, be called back, or
/// co_await it:
///
///     auto h = pool.apply_async(f, 42);
///     int a = h.get();                                              // block
///     h.then([](const int& v) { ... }, [](std::exception_ptr e) { ... }); // be called back
///     int b = co_await std::move(h);                                // suspend
///
/// Dropping a handle does not cancel the task; an error that nobody looks at goes to the log hook.
/// get, await and future take the value once. Thread safety: distinct handles may be used from any
/// thread; cancel() may be called from another thread than the one that waits.
template <class R>
class async_result {
public:
    using value_type = R; ///< what get() returns

    /// Empty: valid() is false, and everything else throws std::future_error (no_state).
    async_result() noexcept = default;
    /// What is moved from is empty.
    async_result(async_result&&) noexcept = default;
    async_result& operator=(async_result&&) noexcept = default;

    /// Whether there is a task behind it.
    [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }

    /// Waits, then returns the value or throws what the task threw. *Exceptions*: the task's;
    /// `task_failure` tells where; `worker_lost_error`, `timeout_error`, `cancelled_error`;
    /// std::future_error when the value was taken.
    R get() {
        state().wait();
        return take();
    }

    /// The same, for at most `timeout`; throws timeout_error (kind waiting), and the handle stays
    /// usable.
    R get(duration timeout) {
        const auto until = detail::deadline_after(timeout);
        if (!state().wait(until)) throw timeout_error{timeout_kind::waiting};
        return state_->take(until);
    }

    /// Waits until the value or the error is there. A thread that waits helps to fetch it.
    void wait() const { state().wait(); }
    /// False when `timeout` passed first.
    bool wait(duration timeout) const { return state().wait(detail::deadline_after(timeout)); }
    /// The value or the error is there.
    [[nodiscard]] bool ready() const { return state().ready(); }
    /// Ready, and with a value.
    [[nodiscard]] bool successful() const { return ready() && !state().error(); }

    /// Queued: the task is dropped. Running: a process is stopped and replaced, a thread is asked
    /// through this_task::stop_token(). True if the result fails with cancelled_error because of
    /// this (which is not reported to the log hook then, also if nobody looks at it); false if it
    /// is ready.
    bool cancel() {
        const auto state = pointer();
        const bool cancelled = state->cancel();
        if (cancelled) state->mark_observed();
        return cancelled;
    }

    /// Calls `on_value(const R&)` (`on_value()` for void) or `on_error(std::exception_ptr)` once
    /// the result is there, also when it is already; on pool_options::callback_executor, never on
    /// the library's reactor. What a callback throws goes to the log hook. Without `on_error` an
    /// error counts as not looked at. If the value has been taken, `on_error` gets a
    /// std::future_error.
    template <class OnValue, class OnError = std::nullptr_t>
    async_result& then(OnValue&& on_value, OnError&& on_error = {}) & {
        detail::attach_then(pointer(), std::forward<OnValue>(on_value),
                            std::forward<OnError>(on_error));
        return *this;
    }
    /// The same for `pool.apply_async(...).then(...)`: returns the handle.
    template <class OnValue, class OnError = std::nullptr_t>
    async_result then(OnValue&& on_value, OnError&& on_error = {}) && {
        then(std::forward<OnValue>(on_value), std::forward<OnError>(on_error));
        return std::move(*this);
    }

    /// Calls `callback(done, total)` for what the task reports (this_task::report_progress) and for
    /// a map's items.
    template <class Callback>
    async_result& on_progress(Callback&& callback) & {
        state().on_progress(detail::progress_callback{std::forward<Callback>(callback)});
        return *this;
    }
    /// The same for temporary handles: returns the handle.
    template <class Callback>
    async_result on_progress(Callback&& callback) && {
        on_progress(std::forward<Callback>(callback));
        return std::move(*this);
    }

    /// The value through a std::future.
    [[nodiscard]] std::future<R> future() { return detail::attach_promise(pointer()); }

    /// Waits without blocking. *Completion signature*: `void(std::exception_ptr, R)`,
    /// `void(std::exception_ptr)` for void; on the handler's associated executor. *Cancellation*:
    /// any type cancels the task, which then completes with cancelled_error. The value is taken; R
    /// must be default-constructible.
    template <asio::completion_token_for<detail::result_signature_t<R>> Token = asio::deferred_t>
    auto async_get(Token&& token = Token()) {
        return detail::async_take(pointer(), std::forward<Token>(token));
    }

    /// The handle is an Asio operation: `co_await pool.apply_async(...)`,
    /// `handle(asio::use_future)`, parallel groups.
    template <asio::completion_token_for<detail::result_signature_t<R>> Token>
    auto operator()(Token&& token) {
        return async_get(std::forward<Token>(token));
    }

    /// In coroutines other than asio::awaitable; resumes on pool_options::callback_executor.
    auto operator co_await() && { return detail::result_awaiter<R>{pointer()}; }

    /// For the library: the shared state.
    explicit async_result(detail::state_ptr<R> state) noexcept : state_{std::move(state)} {}
    /// For the library. *Exceptions*: std::future_error (no_state) when empty.
    [[nodiscard]] const detail::state_ptr<R>& pointer() const {
        if (!state_) throw std::future_error{std::future_errc::no_state};
        return state_;
    }

private:
    detail::result_state<R>& state() const { return *pointer(); }
    R take() { return state_->take(); }

    detail::state_ptr<R> state_;
};

} // namespace coproc
