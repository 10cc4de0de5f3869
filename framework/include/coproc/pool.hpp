// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/async_result.hpp>
#include <coproc/detail/backend.hpp>
#include <coproc/detail/pool_calls.hpp>
#include <coproc/duration.hpp>
#include <coproc/pool_options.hpp>
#include <coproc/pool_stats.hpp>
#include <coproc/stream.hpp>
#include <coproc/task_options.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace coproc {

class pool;

namespace detail {

/// Throws pool_closed_error for a pool that has been moved from, std::logic_error for one that a
/// fork has left here.
const backend_ptr& backend_of(const backend_ptr& pool);
const backend_ptr& backend_of(backend_ptr&& pool) = delete; // the reference would outlive it

/// A pool's calls under options of their own: what `with` returns. Refers to the pool; safe inside
/// co_await.
template <class Policy>
class pool_view : public pool_calls<pool_view<Policy>, Policy> {
public:
    pool_view(backend_ptr backend, task_options options) noexcept
        : backend_{std::move(backend)}, options_{options} {}

    /// What is given here goes before what was given so far.
    [[nodiscard]] pool_view with(task_options options) const {
        return {backend_, merged(options, options_)};
    }

private:
    friend class pool_calls<pool_view<Policy>, Policy>;
    const backend_ptr& backend_of_calls() const { return backend_of(backend_); }
    task_options options_of_calls() const noexcept { return options_; }

    backend_ptr backend_;
    task_options options_;
};

unsigned worker_count(std::intmax_t n);

} // namespace detail

/// A pool of workers that calls are handed to: processes, or threads with the backend "dummy". What
/// a call is given must be able to cross a process boundary, which is checked at compile time
/// (dummy::pool takes anything).
///
///     coproc::pool pool{4};
///     std::vector<int> squares = pool.map([](int x) { return x * x; }, std::views::iota(0, 100));
///     int answer = co_await pool.apply_async(compute, 42);
///
/// All calls may be made from any thread. Workers start with the pool, which does not wait until
/// they are ready: should they turn out not to get there (main lacks the coproc::runtime line, the
/// initializer always throws), what was submitted fails at once with bootstrap_error or the
/// initializer's error, and so does what is submitted later. A worker that is lost fails only the
/// task it ran and is replaced. The destructor terminates and joins. A pool that has been moved
/// from is closed and has no workers.
class pool : public detail::pool_calls<pool, detail::sendable_policy> {
public:
    /// One worker for each CPU that this process may use.
    pool() : pool{pool_options{}} {}
    /// 0: as above. *Exceptions*: std::invalid_argument for a negative or absurd number; see below.
    template <std::integral N>
        requires(!std::same_as<N, bool>)
    explicit pool(N workers) : pool{counted(workers)} {}
    /// *Exceptions*: std::invalid_argument (options, unknown backend); bootstrap_error,
    /// std::system_error (no process or memory to be had); then nothing is left behind.
    explicit pool(pool_options options);

    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;
    /// What is moved from is closed and has no workers.
    pool(pool&&) noexcept = default;
    /// Terminates and joins the former pool.
    pool& operator=(pool&& other) noexcept;
    /// terminate() and join(). Results that are there stay valid.
    ~pool();

    /// The same calls under options of their own: `pool.with({.timeout = 2s}).apply_async(f, x)`.
    [[nodiscard]] detail::pool_view<detail::sendable_policy> with(task_options options) const {
        return {backend_, options};
    }

    /// No new work; what is in flight finishes, then the workers end.
    void close();
    /// Stops now: waiting and running tasks fail with cancelled_error.
    void terminate();

    /// Waits until all workers have ended. A stream that this thread reads is cut off first, since
    /// nobody would read on: behind what has been read of its input it ends with cancelled_error,
    /// unless that was all. *Exceptions*: std::logic_error when neither close() nor terminate() was
    /// called.
    void join();
    /// False when `timeout` passed first. Without any time it only asks, and cuts nothing off.
    bool join(duration timeout);
    /// *Completion signature*: `void(std::exception_ptr)`. *Cancellation*: none. *Exceptions*: as
    /// join, at the call.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_join(Token&& token = Token()) {
        return detail::async_take(join_state(), std::forward<Token>(token));
    }

    /// A snapshot. Looks at every task that waits; not for tight loops.
    [[nodiscard]] pool_stats stats() const;
    /// How many workers the pool keeps.
    [[nodiscard]] std::size_t workers() const;

protected:
    /// For pools of other kinds.
    [[nodiscard]] const detail::backend_ptr& backend() const noexcept { return backend_; }

    template <std::integral N>
    static pool_options counted(N workers) {
        pool_options options;
        options.workers = std::in_range<std::intmax_t>(workers)
                              ? detail::worker_count(static_cast<std::intmax_t>(workers))
                              : detail::worker_count(std::numeric_limits<std::intmax_t>::max());
        return options;
    }

private:
    friend class detail::pool_calls<pool, detail::sendable_policy>;
    const detail::backend_ptr& backend_of_calls() const { return detail::backend_of(backend_); }
    static task_options options_of_calls() noexcept { return {}; }

    detail::state_ptr<void> join_state();
    void require_joinable() const;
    void prepare_to_block();

    detail::backend_ptr backend_;
};

} // namespace coproc
