// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Waiting without a thread for each: one thread sleeps on the words of up to 127 objects at once
// (futex_waitv, Linux 5.16; where the system lacks it, a thread for each word that is waited for).

#include <coproc/detail/operation.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <shared/object.hpp>
#include <type_traits>
#include <utility>

namespace coproc::detail::shared {

/// Something that waits for a word. Attempts are made on the service's thread, first in first out
/// for each word.
class waiter {
public:
    waiter(std::shared_ptr<object> o, wait_word& word, unsigned counted_as) noexcept
        : object_{std::move(o)}, word_{word}, counted_as_{counted_as} {}
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
    virtual ~waiter() = default;

    /// True when there is nothing more to wait for. Must not throw: a failure is an end, too.
    virtual bool attempt() noexcept = 0;
    /// Nothing more to wait for, whoever ended it.
    [[nodiscard]] virtual bool over() const noexcept = 0;

    [[nodiscard]] const std::shared_ptr<object>& waits_at() const noexcept { return object_; }
    [[nodiscard]] wait_word& word() const noexcept { return word_; }
    [[nodiscard]] unsigned counted_as() const noexcept { return counted_as_; }

private:
    std::shared_ptr<object> object_;
    wait_word& word_;
    unsigned counted_as_;
};

/// Calls attempt() until it returns true. Throws std::system_error when there can be no thread.
void wait_later(std::shared_ptr<waiter> who);
/// Somebody gave up: he is let go of.
void look_again(const waiter& who) noexcept;
/// Looks after the object's dead, on the service's thread.
void look_after_later(std::shared_ptr<object> o);

/// An operation (async_lock, async_get ...) that waits for a word. `Attempt` is called as
/// `bool attempt(operation<R>&)`: false if it must wait further; otherwise it has called succeed()
/// or fail(). What it throws fails the operation.
///
/// It may be cancelled until its handler runs. Two members of `Attempt`, if it has them, are told:
///  - `bool cancelled() noexcept`: it was cancelled while it waited, and is about to fail; false if
///    that is too late, since an attempt would succeed or fail by itself;
///  - `void undo(operation<R>&) noexcept`: it was cancelled after it had succeeded, and nobody will
///    see that (the loser of two operations joined by ||): gives back what it took. Without this
///    member, or if it returns false instead of nothing, its success stands.
template <class R, class Attempt>
class waiting_operation final : public operation<R>, public waiter {
public:
    waiting_operation(std::shared_ptr<object> o, wait_word& word, unsigned counted_as,
                      Attempt attempt)
        : waiter{std::move(o), word, counted_as}, attempt_{std::move(attempt)} {}

    bool attempt() noexcept override {
        auto expected = phase::waiting;
        if (!phase_.compare_exchange_strong(expected, phase::trying)) return true;
        return try_once();
    }

    [[nodiscard]] bool over() const noexcept override { return phase_.load() == phase::over; }

    bool cancel() noexcept override {
        auto seen = phase_.load();
        for (;;) {
            if (seen == phase::trying) { // soon to be something else
                phase_.wait(seen);
                seen = phase_.load();
            } else if (seen == phase::over) {
                return take_back();
            } else if (phase_.compare_exchange_weak(seen, phase::trying)) {
                if constexpr (requires(Attempt& a) { a.cancelled(); }) {
                    if (!attempt_.cancelled()) {
                        try_once();
                        return false;
                    }
                }
                settle(phase::over);
                look_again(*this);
                this->fail(cancellation());
                return true;
            }
        }
    }

private:
    enum class phase { waiting, trying, over };

    bool try_once() noexcept {
        bool done = true;
        try {
            done = attempt_(static_cast<operation<R>&>(*this));
        } catch (...) {
            this->fail(std::current_exception());
        }
        settle(done ? phase::over : phase::waiting);
        return done;
    }
    void settle(phase now) noexcept {
        phase_.store(now);
        phase_.notify_all();
    }
    static std::exception_ptr cancellation() {
        return std::make_exception_ptr(cancelled_error{"coproc: the wait was cancelled"});
    }
    /// Asio cancels where the handler is going to run, and not after it: nobody reads the result
    /// meanwhile.
    bool take_back() noexcept {
        if constexpr (requires(Attempt& a, operation<R>& self) { a.undo(self); }) {
            if (this->error() != nullptr) return false;
            auto& self = static_cast<operation<R>&>(*this);
            if constexpr (std::is_void_v<decltype(attempt_.undo(self))>)
                attempt_.undo(self);
            else if (!attempt_.undo(self))
                return false;
            this->set_error(cancellation());
            return true;
        }
        return false;
    }

    std::atomic<phase> phase_{phase::waiting};
    Attempt attempt_;
};

/// Starts such an operation: the first attempt is made here and now.
template <class R, class Attempt>
state_ptr<R> start_waiting(std::shared_ptr<object> o, wait_word& word, unsigned counted_as,
                           Attempt attempt) {
    using op = waiting_operation<R, Attempt>;
    static_cast<void>(o->self()); // what can fail fails here
    boost::intrusive_ptr<op> started{new op{std::move(o), word, counted_as, std::move(attempt)}};
    if (!started->attempt()) {
        // The service's share in it: a reference of its own.
        auto* const raw = started.get();
        intrusive_ptr_add_ref(static_cast<result_core*>(raw));
        try {
            wait_later(std::shared_ptr<waiter>{
                raw, [](op* gone) { intrusive_ptr_release(static_cast<result_core*>(gone)); }});
        } catch (...) {
            started->cancel();
            throw;
        }
    }
    return started;
}
template <class R, class Attempt>
state_ptr<R> start_waiting(std::shared_ptr<object> o, unsigned word, Attempt attempt) {
    wait_word& at = o->head().waits[word];
    return start_waiting<R>(std::move(o), at, word, std::move(attempt));
}

} // namespace coproc::detail::shared
