// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// How a result reaches an Asio completion token, and how it resumes a coroutine that is not Asio's.

#include <coproc/detail/awaitable_fix.hpp>
#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/event_loop.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/result_core.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <coroutine>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coproc::detail {

template <class R>
using state_ptr = boost::intrusive_ptr<result_state<R>>;

template <class R>
struct result_signature {
    using type = void(std::exception_ptr, R);
};
template <>
struct result_signature<void> {
    using type = void(std::exception_ptr);
};
template <class R>
using result_signature_t = typename result_signature<R>::type;

/// Calls a completion handler with what a ready state holds.
template <class R, class Handler>
void deliver(result_state<R>& state, Handler&& handler) {
    state.mark_observed();
    if constexpr (std::is_void_v<R>) {
        std::forward<Handler>(handler)(state.error());
    } else {
        if (state.error())
            std::forward<Handler>(handler)(state.error(), R{});
        else
            std::forward<Handler>(handler)(std::exception_ptr{}, state.take());
    }
}

/// Waits for a state on behalf of an Asio handler, and calls it on the handler's own executor. If
/// the executor's context is destroyed first, the handler is destroyed with it, as Asio does with
/// those that wait for its own operations.
template <class R, class Handler>
class handler_continuation final : public continuation, private loop_resident {
    using executor_type = boost::asio::associated_executor_t<Handler>;

public:
    handler_continuation(state_ptr<R> state, Handler handler)
        : state_{std::move(state)},
          waiting_{std::in_place, boost::asio::get_associated_executor(handler),
                   std::move(handler)},
          loop_{loop_of(waiting_->work.get_executor())} {
        if (loop_) loop_->move_in(*this);
    }

    // Behind callbacks, which are shown the value before it is given away: waiting for them here
    // would block the loop that may have to run them.
    void resume() noexcept override {
        if (state_->shown_first())
            post_callback(state_->callback_executor(), behind_callbacks{this});
        else
            proceed();
    }
    ~handler_continuation() override { abandon(); }

private:
    /// Goes on also when the callbacks' executor has gone without running it.
    class behind_callbacks {
    public:
        explicit behind_callbacks(handler_continuation* who) noexcept : who_{who} {}
        behind_callbacks(behind_callbacks&& other) noexcept
            : who_{std::exchange(other.who_, nullptr)} {}
        behind_callbacks& operator=(behind_callbacks&&) = delete;
        ~behind_callbacks() { (*this)(); }
        void operator()() noexcept {
            if (who_ != nullptr) std::exchange(who_, nullptr)->proceed();
        }

    private:
        handler_continuation* who_;
    };

    void proceed() noexcept {
        if (const auto loop = loop_) { // this may be gone before move_out() returns
            if (!loop->move_out(*this)) ended();
        } else {
            posted();
        }
    }

    struct waiting {
        waiting(const executor_type& e, Handler&& h) : work{e}, handler{std::move(h)} {}
        boost::asio::executor_work_guard<executor_type> work;
        Handler handler;
    };

    /// Owned by what is posted: a context that is destroyed throws that away without running it.
    struct resumption {
        std::unique_ptr<handler_continuation> self;

        void operator()() {
            auto handler = std::move(self->waiting_->handler);
            const auto state = std::move(self->state_);
            auto work = std::move(self->waiting_->work);
            self.reset(); // memory is back before the handler runs, as Asio has it
            // The slot must not keep the state alive, nor cancel a later operation's.
            if (auto slot = boost::asio::get_associated_cancellation_slot(handler);
                slot.is_connected())
                slot.clear();
            state->fetch();
            try {
                deliver(*state, std::move(handler));
            } catch (...) {
                loop_visit::note_exception();
                throw;
            }
        }
    };

    void posted() noexcept override {
        [[maybe_unused]] const auto held = holding_context(waiting_->work.get_executor());
        boost::asio::post(waiting_->work.get_executor(),
                          resumption{std::unique_ptr<handler_continuation>{this}});
    }
    // A strand that is busy elsewhere has it wait its turn.
    void called() override {
        boost::asio::dispatch(waiting_->work.get_executor(),
                              resumption{std::unique_ptr<handler_continuation>{this}});
    }

    void evicted() noexcept override {
        abandon(); // first: a coroutine that is destroyed with the handler may have the lock again
        waiting_.reset();
        ended();
    }
    /// The handler was destroyed without having run. Not in the child of a fork, which has a copy.
    void abandon() noexcept {
        if (state_ && generation_ == count_forks()) state_->abandon();
    }
    /// Evicted, and the result is there: whichever is later.
    void ended() noexcept {
        if (ended_.exchange(true, std::memory_order_acq_rel)) delete this;
    }

    state_ptr<R> state_;
    std::optional<waiting> waiting_;
    const std::shared_ptr<event_loop> loop_;
    const unsigned generation_ = count_forks();
    std::atomic<bool> ended_{false};
};

struct initiate_take {
    template <class Handler, class R>
    void operator()(Handler&& handler, state_ptr<R> state) const {
        auto* core = state.get();
        if (auto slot = boost::asio::get_associated_cancellation_slot(handler); slot.is_connected())
            slot.assign(
                [held = core_ptr{core}](boost::asio::cancellation_type) { held->cancel(); });
        auto* waiting = new handler_continuation<R, std::decay_t<Handler>>{
            std::move(state), std::forward<Handler>(handler)};
        if (!core->attach(*waiting)) waiting->resume();
    }
};

/// Completion signature: void(std::exception_ptr, R), void(std::exception_ptr) for void.
/// Cancellation of any type cancels what computes the result.
template <class R, class Token>
auto async_take(state_ptr<R> state, Token&& token) {
    static_assert(std::is_void_v<R> || std::is_default_constructible_v<R>,
                  "coproc: awaiting a result needs a default-constructible type (an Asio handler "
                  "gets a value also with "
                  "an error); use get(), or return std::optional<T>");
    return boost::asio::async_initiate<Token, result_signature_t<R>>(initiate_take{}, token,
                                                                     std::move(state));
}

/// Resumes a coroutine on an executor, or on the library's callback thread.
class coroutine_continuation final : public continuation {
public:
    coroutine_continuation(const boost::asio::any_io_executor* executor,
                           std::coroutine_handle<> waiting) noexcept
        : executor_{executor}, waiting_{waiting} {}

    void resume() noexcept override {
        post_callback(executor_, [waiting = waiting_] { waiting.resume(); });
    }

private:
    const boost::asio::any_io_executor* executor_;
    std::coroutine_handle<> waiting_;
};

/// What `co_await` uses in coroutines other than asio::awaitable. Lives in the coroutine's frame.
template <class R>
class result_awaiter {
public:
    explicit result_awaiter(state_ptr<R> state) noexcept : state_{std::move(state)} {}

    [[nodiscard]] bool await_ready() const noexcept { return state_->ready(); }
    bool await_suspend(std::coroutine_handle<> waiting) {
        continuation_.emplace(state_->callback_executor(), waiting);
        return state_->attach(*continuation_);
    }
    R await_resume() { return state_->take(); }

private:
    state_ptr<R> state_;
    std::optional<coroutine_continuation> continuation_;
};

} // namespace coproc::detail
