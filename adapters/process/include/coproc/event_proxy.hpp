// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>
#include <coproc/error.hpp>

#include <string>
#include <utility>

namespace coproc {

/// A flag that lives in a manager's server, and that programs can wait for: Python's managed Event.
/// A handle, as dict_proxy is. Thread safe. *Exceptions*: end_of_stream_error when the server is
/// gone; timeout_error through within().
class event_proxy : public detail::proxy_base<event_proxy> {
    using op = detail::manager_op;

public:
    /// Empty: refers to no event.
    event_proxy() noexcept = default;

    /// Wakes all that wait.
    void set() const { get_(op::event_set); }
    void clear() const { get_(op::event_clear); }
    [[nodiscard]] bool is_set() const { return get_<bool>(op::event_is_set); }
    /// Until it is set.
    void wait() const { get_(op::event_wait); }
    /// False: the time passed first.
    bool wait(duration timeout) const { return wait_for(timeout); }
    bool wait_for(duration timeout) const;

    /// *Completion signature*: void(std::exception_ptr). *Cancellation* of any type:
    /// cancelled_error.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_wait(Token&& token = Token()) const {
        return start_<void, op::event_wait>(std::forward<Token>(token));
    }

    /// The asynchronous forms of the others. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Exceptions*: as the
    /// blocking form. *Cancellation* of any type, until the reply has come: cancelled_error, at
    /// once; what was sent may be carried out all the same.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(Token&& token = Token()) const {
        return start_<void, op::event_set>(std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_clear(Token&& token = Token()) const {
        return start_<void, op::event_clear>(std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_is_set(Token&& token = Token()) const {
        return start_<bool, op::event_is_set>(std::forward<Token>(token));
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "event"; }
};

template <>
struct codec<event_proxy> : detail::proxy_codec<event_proxy> {};

} // namespace coproc
