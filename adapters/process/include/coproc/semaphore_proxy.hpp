// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>
#include <coproc/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace coproc {

/// A semaphore that lives in a manager's server, also for programs on other machines: Python's
/// managed Semaphore and BoundedSemaphore. A handle, as dict_proxy is. A permit has no owner: one
/// that a program holds when it dies is not returned. Those who wait are served in their order.
/// Thread safe. *Exceptions*: end_of_stream_error when the server is gone; timeout_error through
/// within().
class semaphore_proxy : public detail::proxy_base<semaphore_proxy> {
    using op = detail::manager_op;

public:
    /// Empty: refers to no semaphore.
    semaphore_proxy() noexcept = default;

    /// Waits for a permit.
    void acquire() const { get_(op::semaphore_acquire); }
    [[nodiscard]] bool try_acquire() const { return try_acquire_for(duration{}); }
    /// False: the time passed first.
    [[nodiscard]] bool try_acquire_for(duration timeout) const;
    /// Gives permits back, or more of them. Beyond the bound: std::logic_error, and nothing has
    /// changed.
    void release(std::size_t permits = 1) const {
        get_(op::semaphore_release, detail::pack(std::uint64_t{permits}));
    }
    /// How many permits there are at the moment.
    [[nodiscard]] std::size_t value() const {
        return static_cast<std::size_t>(get_<std::uint64_t>(op::semaphore_value));
    }

    /// *Completion signature*: void(std::exception_ptr). *Cancellation* of any type, until the
    /// handler runs: it completes with cancelled_error, and no permit is taken.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_acquire(Token&& token = Token()) const {
        return start_<void, op::semaphore_acquire>(std::forward<Token>(token));
    }

    /// The asynchronous forms of the others. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Exceptions*: as the
    /// blocking form. *Cancellation* of any type, until the reply has come: cancelled_error, at
    /// once; what was sent may be carried out all the same.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_release(std::size_t permits, Token&& token = Token()) const {
        return start_<void, op::semaphore_release>(
            std::forward<Token>(token), detail::packed{detail::pack(std::uint64_t{permits})});
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_release(Token&& token = Token()) const {
        return async_release(1, std::forward<Token>(token));
    }
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_value(Token&& token = Token()) const {
        return start_<std::size_t, op::semaphore_value>(std::forward<Token>(token),
                                                        detail::no_payload{}, detail::read_size{});
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "semaphore"; }
};

template <>
struct codec<semaphore_proxy> : detail::proxy_codec<semaphore_proxy> {};

} // namespace coproc
