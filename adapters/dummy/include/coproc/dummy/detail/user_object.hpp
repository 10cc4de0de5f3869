// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// An object of a user's class, as a manager on threads keeps it, and where its calls run.

#include <coproc/detail/operation.hpp>
#include <coproc/dummy/detail/waiting.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <mutex>
#include <type_traits>
#include <utility>

namespace coproc::detail::threads {

/// One of a few threads; what is posted to one executor runs in order, one at a time.
[[nodiscard]] boost::asio::any_io_executor call_lane();
/// A call that waits for so long only cannot refer to what is the caller's.
[[noreturn]] void throw_needs_reference();
/// The exception in flight, as a process would send it back.
[[noreturn]] void rethrow_from_call();

/// A call whose result may be given up: it runs all the same.
template <class R>
class call_operation final : public operation<R> {
public:
    bool cancel() noexcept override {
        if (!this->claim()) return false;
        this->fail(wait_cancelled());
        return true;
    }
};

/// Starts `call()` on an executor.
template <class R, class F>
state_ptr<R> call_on(const boost::asio::any_io_executor& executor, F call) {
    boost::intrusive_ptr<call_operation<R>> made{new call_operation<R>};
    boost::asio::post(executor, [call = std::move(call), made]() mutable noexcept {
        try {
            if constexpr (std::is_void_v<R>) {
                call();
                if (made->claim()) made->succeed();
            } else {
                R result = call();
                if (made->claim()) made->succeed(std::move(result));
            }
        } catch (...) {
            if (made->claim()) made->fail(std::current_exception());
        }
    });
    return made;
}

template <class T>
struct user_object {
    template <class... Args>
    explicit user_object(bool one_at_a_time, Args&&... args)
        : locked{one_at_a_time}, value(std::forward<Args>(args)...) {}

    template <class F, class... Args>
    auto call(F& function, Args&&... args) -> std::decay_t<std::invoke_result_t<F&, T&, Args...>> {
        std::unique_lock lock{mutex, std::defer_lock};
        if (locked) lock.lock();
        try {
            return std::invoke(function, value, std::forward<Args>(args)...);
        } catch (...) {
            rethrow_from_call();
        }
    }

    bool locked;
    std::mutex mutex{};
    boost::asio::any_io_executor lane = call_lane(); // of asynchronous calls
    T value;
};

} // namespace coproc::detail::threads
