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
class barrier_core;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::barrier among the threads and coroutines of one program: a fixed number of parties wait
/// for each other, again and again. A handle, whose copies are one barrier.
///
/// It breaks when one of those who wait gives up (its time runs out, or it is cancelled) or when
/// somebody calls abort(): then all who wait, and all who come, get broken_barrier_error, until
/// reset(). Thread safety: full.
class barrier {
public:
    /// For one, which never waits.
    barrier() : barrier{1} {}
    /// For so many parties. *Exceptions*: std::invalid_argument if there are none.
    template <detail::count N>
    explicit barrier(N parties)
        : barrier{of{detail::count_of(parties, "the parties of a barrier")}} {}
    /// The same barrier. (There is no move: what is moved from stays usable.)
    barrier(const barrier&) noexcept = default;
    barrier& operator=(const barrier&) noexcept = default;
    ~barrier() = default;

    /// Waits for the others. Returns how many had come before: each number from 0 to parties() - 1
    /// goes to one party. *Exceptions*: broken_barrier_error.
    std::size_t wait() const;
    /// The same; a party whose time runs out breaks the barrier, for itself and for the others.
    std::size_t wait(duration timeout) const;
    /// Waits without blocking a thread. *Completion signature*: `void(std::exception_ptr,
    /// std::size_t)`. *Cancellation*: of any type, while it waits: it completes with
    /// cancelled_error, and the barrier is broken.
    template <
        asio::completion_token_for<void(std::exception_ptr, std::size_t)> Token = asio::deferred_t>
    auto async_wait(Token&& token = Token()) const {
        return detail::async_start<std::size_t>([b = *this] { return b.start_wait(); },
                                                std::forward<Token>(token));
    }

    /// Breaks it.
    void abort() const;
    /// Makes it usable again, and empty: those who wait get broken_barrier_error.
    void reset() const;
    /// Whether it is broken.
    [[nodiscard]] bool broken() const;
    /// How many it waits for.
    [[nodiscard]] std::size_t parties() const noexcept;
    /// How many wait at this moment.
    [[nodiscard]] std::size_t waiting() const;

private:
    struct of {
        std::size_t parties;
    };
    explicit barrier(of all);
    [[nodiscard]] detail::state_ptr<std::size_t> start_wait() const;

    std::shared_ptr<detail::threads::barrier_core> core_;
};

} // namespace coproc::dummy
