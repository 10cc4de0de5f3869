// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where a user's callbacks run: never on the thread that found the result, always posted.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace coproc::detail {

class result_core;

/// A thread of the library's own that only runs callbacks; started at the first use.
boost::asio::any_io_executor default_callback_executor();

/// Something to be run on that thread; owns itself.
class callback {
public:
    callback() = default;
    callback(const callback&) = delete;
    callback& operator=(const callback&) = delete;
    virtual ~callback() = default;
    virtual void call() noexcept = 0;

private:
    friend class callback_batch;
    friend class callback_queue;
    callback* next_ = nullptr;  // in its batch
    callback* older_ = nullptr; // the first of the batch that was queued before
};

/// Runs it on the library's own thread, after those queued before. One post serves as many as come
/// until that thread has run them all. See callback_batch.
void queue_callback(callback& what) noexcept;

/// Reports the exception in flight to the log hook, with the label of the task whose result it is.
void log_callback_exception(const result_core& of) noexcept;

template <class F>
void run_callback(const result_core& of, F&& callback) noexcept {
    try {
        std::forward<F>(callback)();
    } catch (...) {
        log_callback_exception(of);
    }
}

/// To be held, declared first, while something is posted to an executor that is not the library's:
/// the handler may run before post() returns, and when that was the last work, the program may
/// destroy the context at once. A copy of a mere executor must not be destroyed after it.
template <class Executor>
auto holding_context(const Executor& executor) {
    return boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
}

template <class F>
class function_callback final : public callback {
public:
    explicit function_callback(F f) : f_{std::move(f)} {}
    void call() noexcept override {
        const std::unique_ptr<function_callback> self{this};
        std::move(f_)();
    }
    ~function_callback() override = default;

private:
    F f_;
};

/// Posts to `executor`, or to the library's own thread when it is null.
template <std::invocable F>
void post_callback(const boost::asio::any_io_executor* executor, F&& callback) {
    if (executor != nullptr && *executor) {
        const auto held = holding_context(*executor);
        boost::asio::post(*executor, std::forward<F>(callback));
    } else {
        queue_callback(*new function_callback<std::decay_t<F>>{std::forward<F>(callback)});
    }
}

/// The same. A context that is destroyed before it has run the callback destroys it.
inline void post_callback(const boost::asio::any_io_executor* executor,
                          std::unique_ptr<callback> what) {
    if (executor != nullptr && *executor)
        post_callback(executor, [what = std::move(what)]() mutable { what.release()->call(); });
    else
        queue_callback(*what.release());
}

} // namespace coproc::detail
