// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/dummy/detail/waiting.hpp>

#include <boost/asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace coproc {
namespace asio = boost::asio;
} // namespace coproc

namespace coproc::detail::threads {
class semaphore_core;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// One unit of a semaphore, returned when this is destroyed. Move-only; what is moved from, or
/// released, holds nothing. Thread safety: one thread at a time, any thread.
class [[nodiscard]] semaphore_permit {
public:
    /// Holds nothing.
    semaphore_permit() noexcept = default;
    semaphore_permit(semaphore_permit&&) noexcept = default;
    semaphore_permit& operator=(semaphore_permit&& other) noexcept;
    semaphore_permit(const semaphore_permit&) = delete;
    semaphore_permit& operator=(const semaphore_permit&) = delete;
    ~semaphore_permit() { release(); }

    /// Returns it early.
    void release() noexcept;
    /// Whether it holds a unit.
    [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }

private:
    friend class semaphore;
    friend class detail::threads::semaphore_core;
    explicit semaphore_permit(std::shared_ptr<detail::threads::semaphore_core> of) noexcept
        : of_{std::move(of)} {}

    std::shared_ptr<detail::threads::semaphore_core> of_;
};

/// coproc::semaphore among the threads and coroutines of one program: a count of units, given to
/// those who wait in the order in which they came. A handle, whose copies are one semaphore.
///
/// A bare acquire() has no owner: whoever likes may release(). A permit() returns its unit by
/// itself. Thread safety: full.
class semaphore {
public:
    /// What permit() returns.
    using permit_type = semaphore_permit;

    /// One unit, as Python has it.
    semaphore() : semaphore{1} {}
    /// So many units. *Exceptions*: std::invalid_argument if negative.
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
        return detail::async_start<void>([s = *this] { return s.start_acquire(); },
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
        return detail::async_start<semaphore_permit>([s = *this] { return s.start_permit(); },
                                                     std::forward<Token>(token));
    }

protected:
    /// For bounded_semaphore.
    semaphore(std::size_t initial, bool bounded);

private:
    void add(std::size_t n) const;
    [[nodiscard]] detail::state_ptr<void> start_acquire() const;
    [[nodiscard]] detail::state_ptr<semaphore_permit> start_permit() const;

    std::shared_ptr<detail::threads::semaphore_core> core_;
};

} // namespace coproc::dummy
