// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/detail/handle.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

namespace detail {
class barrier_object;
} // namespace detail

/// A fixed number of parties wait for each other, again and again; between processes, their threads
/// and their coroutines. A handle: copies refer to the same barrier.
///
/// It breaks when one of those who wait gives up (its time runs out, or it is cancelled), when its
/// process dies, or when somebody calls abort(): then all who wait, and all who come, get
/// broken_barrier_error, until reset(). Whoever dies before it has come is waited for: wait with a
/// time where that can happen. Thread safe.
class barrier {
public:
    /// For one, which never waits.
    barrier() : barrier{1} {}
    /// For so many parties. *Exceptions*: std::invalid_argument if there are none;
    /// std::system_error when there is no memory or descriptor.
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
        return detail::async_start<std::size_t>([object = object_] { return start_wait(object); },
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
    friend struct detail::handle_access;
    explicit barrier(of all);
    explicit barrier(std::shared_ptr<detail::barrier_object> object) noexcept
        : object_{std::move(object)} {}

    static detail::state_ptr<std::size_t>
    start_wait(std::shared_ptr<detail::barrier_object> object);

    std::shared_ptr<detail::barrier_object> object_;
};

/// Travels as a handle of the same barrier.
template <>
struct codec<barrier> : detail::handle_codec<barrier> {};

} // namespace coproc
