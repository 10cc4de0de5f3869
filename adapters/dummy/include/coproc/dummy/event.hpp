// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <boost/asio/deferred.hpp>

#include <memory>
#include <utility>

namespace coproc {
namespace asio = boost::asio;
} // namespace coproc

namespace coproc::detail::threads {
class event_core;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::event among the threads and coroutines of one program: a flag to wait for. A handle,
/// whose copies are one event. Thread safety: full.
class event {
public:
    /// A new event, not set.
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
        return detail::async_start<void>([e = *this] { return e.start_wait(); },
                                         std::forward<Token>(token));
    }

private:
    [[nodiscard]] detail::state_ptr<void> start_wait() const;

    std::shared_ptr<detail::threads::event_core> core_;
};

} // namespace coproc::dummy
