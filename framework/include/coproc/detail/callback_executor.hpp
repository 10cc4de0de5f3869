// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where a user's callbacks run: never on the thread that found the result, always posted.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

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

/// Posts to `executor`, or to the library's own thread when it is null.
template <class F>
void post_callback(const boost::asio::any_io_executor* executor, F&& callback) {
    if (executor != nullptr && *executor)
        boost::asio::post(*executor, std::forward<F>(callback));
    else
        boost::asio::post(default_callback_executor(), std::forward<F>(callback));
}

} // namespace coproc::detail
