// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where a user's callbacks run: never on the thread that found the result, always posted.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <utility>

namespace coproc::detail {

/// A thread of the library's own that only runs callbacks; started at the first use.
boost::asio::any_io_executor default_callback_executor();

/// Reports the exception in flight to the log hook.
void log_callback_exception() noexcept;

template <class F>
void run_callback(F&& callback) noexcept {
    try {
        std::forward<F>(callback)();
    } catch (...) {
        log_callback_exception();
    }
}

/// To be held, declared first, while something is posted to an executor that is not the library's:
/// the handler may run before post() returns, and when that was the last work, the program may
/// destroy the context at once. A copy of a mere executor must not be destroyed after it.
template <class Executor>
auto holding_context(const Executor& executor) {
    return boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
}

/// Posts to `executor`, or to the library's own thread when it is null.
template <class F>
void post_callback(const boost::asio::any_io_executor* executor, F&& callback) {
    if (executor != nullptr && *executor) {
        const auto held = holding_context(*executor);
        boost::asio::post(*executor, std::forward<F>(callback));
    } else {
        boost::asio::post(default_callback_executor(), std::forward<F>(callback));
    }
}

} // namespace coproc::detail
