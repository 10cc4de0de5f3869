// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/handle.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <boost/asio/deferred.hpp>

#include <memory>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

namespace detail {
class event_object;
} // namespace detail

/// A flag to wait for, between processes and their threads. A handle: copies refer to the same
/// event. Thread safe.
///
///     coproc::event stop;
///     auto work = pool.apply_async([](coproc::event e) { while (!e.is_set()) ...; }, stop);
///     stop.set();
class event {
public:
    /// A new event, not set. *Exceptions*: std::system_error when there is no memory or descriptor.
    event();
    /// The same event. (There is no move: what is moved from stays usable.)
    event(const event&) noexcept = default;
    event& operator=(const event&) noexcept = default;
    ~event() = default;

    /// Sets it, and lets all go on that wait; also those who would have been late, should it be
    /// cleared at once.
    void set() const;
    /// From now on those who wait, wait.
    void clear() const;
    /// Whether it is set at this moment.
    [[nodiscard]] bool is_set() const;

    /// Waits until it is set.
    void wait() const;
    /// False when it was not set in time.
    bool wait(duration timeout) const { return wait_for(timeout); }
    /// False when it was not set in time.
    bool wait_for(duration timeout) const;
    /// Waits without blocking a thread. *Completion signature*: `void(std::exception_ptr)`.
    /// *Cancellation*: of any type; it completes with cancelled_error.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_wait(Token&& token = Token()) const {
        return detail::async_start<void>([object = object_] { return start_wait(object); },
                                         std::forward<Token>(token));
    }

private:
    friend struct detail::handle_access;
    explicit event(std::shared_ptr<detail::event_object> object) noexcept
        : object_{std::move(object)} {}

    static detail::state_ptr<void> start_wait(std::shared_ptr<detail::event_object> object);

    std::shared_ptr<detail::event_object> object_;
};

/// Travels as a handle of the same event.
template <>
struct codec<event> : detail::handle_codec<event> {};

} // namespace coproc
