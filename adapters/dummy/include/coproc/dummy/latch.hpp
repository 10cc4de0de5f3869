// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/dummy/detail/waiting.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace coproc {
namespace asio = boost::asio;
} // namespace coproc

namespace coproc::detail::threads {
class latch_core;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::latch among the threads and coroutines of one program: counts down to zero, once, and
/// lets all go on that wait for it. A handle, whose copies are one latch. Thread safety: full.
class latch {
public:
    /// At zero.
    latch() : latch{0} {}
    /// To be counted down so often. *Exceptions*: std::invalid_argument if negative.
    template <detail::count N>
    explicit latch(N count) : latch{at{detail::count_of(count, "what a latch counts down from")}} {}
    /// The same latch. (There is no move: what is moved from stays usable.)
    latch(const latch&) noexcept = default;
    latch& operator=(const latch&) noexcept = default;
    ~latch() = default;

    /// Counts down, without waiting. *Exceptions*: std::logic_error below zero,
    /// std::invalid_argument if negative; then nothing has changed.
    template <detail::count N = int>
    void count_down(N n = 1) const {
        arrive(detail::count_of(n, "what a latch is counted down by"));
    }
    /// Whether it has reached zero.
    [[nodiscard]] bool try_wait() const;
    /// Waits until it has reached zero.
    void wait() const;
    /// False when it did not reach zero in time.
    bool wait(duration timeout) const { return wait_for(timeout); }
    /// False when it did not reach zero in time.
    bool wait_for(duration timeout) const;
    /// count_down(n), then wait().
    template <detail::count N = int>
    void arrive_and_wait(N n = 1) const {
        count_down(n);
        wait();
    }
    /// Waits without blocking a thread. *Completion signature*: `void(std::exception_ptr)`.
    /// *Cancellation*: of any type; it completes with cancelled_error.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_wait(Token&& token = Token()) const {
        return detail::async_start<void>([l = *this] { return l.start_wait(); },
                                         std::forward<Token>(token));
    }

private:
    struct at {
        std::size_t count;
    };
    explicit latch(at first);
    void arrive(std::size_t n) const;
    [[nodiscard]] detail::state_ptr<void> start_wait() const;

    std::shared_ptr<detail::threads::latch_core> core_;
};

} // namespace coproc::dummy
