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
#include <optional>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

namespace detail {
class semaphore_object;
} // namespace detail

/// One unit of a semaphore, given back when this is destroyed, and also when the process dies.
/// Move-only; what is moved from, or released, holds nothing. It belongs to the process: a copy in
/// the child of a fork holds nothing. Thread safety: one thread at a time, any thread.
class [[nodiscard]] semaphore_permit {
public:
    /// Holds nothing.
    semaphore_permit() noexcept = default;
    semaphore_permit(semaphore_permit&&) noexcept = default;
    semaphore_permit& operator=(semaphore_permit&& other) noexcept;
    semaphore_permit(const semaphore_permit&) = delete;
    semaphore_permit& operator=(const semaphore_permit&) = delete;
    ~semaphore_permit() { release(); }

    /// Gives it back early.
    void release() noexcept;
    /// Whether it holds a unit.
    [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }

private:
    friend class semaphore;
    explicit semaphore_permit(std::shared_ptr<detail::semaphore_object> of) noexcept;

    std::shared_ptr<detail::semaphore_object> of_;
    unsigned fork_generation_ = 0;
};

/// A count of units, between processes and their threads. A handle: copies refer to the same one.
///
///     coproc::semaphore licences{3};
///     pool.map([](coproc::semaphore s, int i) { const auto held = s.permit(); ... }, ...);
///
/// A bare acquire() has no owner: whoever likes may release(), and a process that dies in between
/// has taken its unit with it. A permit() gives its unit back by itself, whatever happens to the
/// process. Not fair: whoever comes at the right moment gets the unit. Thread safe.
class semaphore {
public:
    /// What permit() returns.
    using permit_type = semaphore_permit;

    /// One unit, as Python has it.
    semaphore() : semaphore{1} {}
    /// So many units. *Exceptions*: std::invalid_argument if negative; std::system_error when there
    /// is no memory or descriptor.
    template <detail::count N>
    explicit semaphore(N initial)
        : semaphore{detail::count_of(initial, "a semaphore's initial value"), false} {}
    /// The same semaphore. (There is no move: what is moved from stays usable.)
    semaphore(const semaphore&) noexcept = default;
    semaphore& operator=(const semaphore&) noexcept = default;
    ~semaphore() = default;

    /// Waits for a unit, and takes it.
    void acquire() const;
    /// Takes a unit if there is one now.
    [[nodiscard]] bool try_acquire() const;
    /// False when there was none in time.
    [[nodiscard]] bool try_acquire_for(duration timeout) const;
    /// Returns units, or adds some. *Exceptions*: std::invalid_argument if negative;
    /// std::logic_error beyond the initial value of a bounded_semaphore, or beyond what can be
    /// counted. Then nothing has changed.
    template <detail::count N = int>
    void release(N n = 1) const {
        add(detail::count_of(n, "the units that a semaphore gets back"));
    }
    /// The units that are free at this moment.
    [[nodiscard]] std::size_t value() const;

    /// Takes a unit without blocking a thread. *Completion signature*: `void(std::exception_ptr)`.
    /// *Cancellation*: of any type, until the handler runs; it then completes with cancelled_error,
    /// and no unit is taken.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_acquire(Token&& token = Token()) const {
        return detail::async_start<void>([object = object_] { return start_acquire(object); },
                                         std::forward<Token>(token));
    }

    /// Waits for a unit, which the object that is returned gives back.
    [[nodiscard]] semaphore_permit permit() const;
    /// Empty when there is none now.
    [[nodiscard]] std::optional<semaphore_permit> try_permit() const;
    /// Empty when there was none in time.
    [[nodiscard]] std::optional<semaphore_permit> try_permit_for(duration timeout) const;

    /// permit() without blocking a thread. *Completion signature*:
    /// `void(std::exception_ptr, permit_type)`, on the handler's associated executor.
    /// *Cancellation*: of any type, until the handler runs; it then completes with cancelled_error
    /// and a permit that holds nothing. A permit that nobody receives, since the handler is gone,
    /// gives its unit back.
    template <asio::completion_token_for<void(std::exception_ptr, semaphore_permit)> Token =
                  asio::deferred_t>
    auto async_permit(Token&& token = Token()) const {
        return detail::async_start<semaphore_permit>(
            [object = object_] { return start_permit(object); }, std::forward<Token>(token));
    }

protected:
    /// For bounded_semaphore.
    semaphore(std::size_t initial, bool bounded);
    explicit semaphore(std::shared_ptr<detail::semaphore_object> object) noexcept
        : object_{std::move(object)} {}

private:
    friend struct detail::handle_access;

    void add(std::size_t n) const;
    static detail::state_ptr<void> start_acquire(std::shared_ptr<detail::semaphore_object> object);
    static detail::state_ptr<semaphore_permit>
    start_permit(std::shared_ptr<detail::semaphore_object> object);

    std::shared_ptr<detail::semaphore_object> object_;
};

/// Travels as a handle of the same semaphore.
template <>
struct codec<semaphore> : detail::handle_codec<semaphore> {};

} // namespace coproc
