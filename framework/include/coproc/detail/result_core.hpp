// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The state behind a result handle, without its value: whether it is there, who waits for it, what
// went wrong. Everything that waits is a continuation; the list of them is lock-free and closes
// when the result arrives.

#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// Runs once when a result is there; owns itself. Called on whichever thread completes the result,
/// so it must only hand over (post, notify) and never run a user's code.
class continuation {
public:
    continuation() = default;
    continuation(const continuation&) = delete;
    continuation& operator=(const continuation&) = delete;
    virtual void resume() noexcept = 0;

protected:
    virtual ~continuation() = default;

private:
    friend class result_core;
    continuation* next_ = nullptr;
};

using progress_callback = std::function<void(std::uint64_t done, std::uint64_t total)>;

class result_core : public boost::intrusive_ref_counter<result_core> {
public:
    result_core() noexcept = default;
    result_core(const result_core&) = delete;
    result_core& operator=(const result_core&) = delete;
    virtual ~result_core();

    [[nodiscard]] bool ready() const noexcept {
        return waiting_.load(std::memory_order_acquire) == closed_list();
    }

    /// False when the result is there already: the caller resumes the continuation itself.
    bool attach(continuation& c) noexcept;

    /// Blocks until ready; true. With a deadline: false when it passed first. Throws where that
    /// would be for ever: see tells_of_results().
    bool wait(std::optional<steady::time_point> deadline = {});

    /// Asks whoever computes this result to stop. True if that made it fail with cancelled_error.
    virtual bool cancel() noexcept { return false; }

    /// A thread that waits may lend itself to the computation: runs a short bounded effort and
    /// returns.
    virtual void help() noexcept {}

    /// On the executor of the handler that is about to be given the value, once: for what takes
    /// long, or waits, and must not be done where the result was found.
    virtual void fetch() noexcept {}
    /// Whoever was to get the result is gone, and never will: what only he could have had goes
    /// back. Called without locks, perhaps more than once, before or after the result is there.
    virtual void abandon() noexcept {}

    /// Which executor callbacks and foreign coroutines resume on; null: the library's own.
    virtual const boost::asio::any_io_executor* callback_executor() const noexcept {
        return nullptr;
    }

    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
    void set_error(std::exception_ptr e) noexcept { error_ = std::move(e); }

    /// Publishes value or error. Exactly once.
    void complete() noexcept;

    /// Somebody has seen the error, or has taken over the duty to: it is not reported as lost.
    void mark_observed() noexcept { observed_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool observed() const noexcept {
        return observed_.load(std::memory_order_relaxed);
    }

    /// Callbacks are shown the value, so that taking it may mean waiting for them: not to be done
    /// in resume().
    [[nodiscard]] bool has_readers() const noexcept {
        return had_readers_.load(std::memory_order_acquire);
    }

    void on_progress(progress_callback callback);
    void report_progress(std::uint64_t done, std::uint64_t total) noexcept;
    [[nodiscard]] bool wants_progress() const noexcept {
        return progress_.load(std::memory_order_acquire) != nullptr;
    }

protected:
    using reader_count = std::atomic<std::uint32_t>;
    /// Blocks until there is none; false when the deadline passed first.
    static bool await_readers(reader_count& readers, std::optional<steady::time_point> until);
    static void reader_gone(reader_count& readers) noexcept;
    void note_reader() noexcept { had_readers_.store(true, std::memory_order_release); }

private:
    struct sleeper;
    struct progress_sink;

    /// In place of the list once the result is there.
    static continuation* closed_list() noexcept {
        return reinterpret_cast<continuation*>(&closed_mark);
    }
    bool sleep(std::optional<steady::time_point> deadline);

    // Defined in the library: its address is to be the same for all who use that.
    alignas(continuation) static char closed_mark;

    std::atomic<continuation*> waiting_{nullptr};
    std::exception_ptr error_;
    std::atomic<sleeper*> sleeper_{nullptr};
    std::atomic<progress_sink*> progress_{nullptr};
    std::atomic<bool> observed_{false};
    std::atomic<bool> had_readers_{false};
};

using core_ptr = boost::intrusive_ptr<result_core>;

/// An error that is dropped before anybody has seen it goes to the log hook; not that somebody has
/// cancelled what nobody wanted.
void report_unseen(const std::exception_ptr& error) noexcept;

/// Whether the calling thread is the one by which all others are told of their results: waiting
/// for one throws std::system_error (resource_deadlock_would_occur) there.
void tells_of_results(bool does) noexcept;

/// Copies are known to compile and to be cheap enough. (std::is_copy_constructible says yes to a
/// vector of unique_ptr.)
template <class T>
inline constexpr bool freely_copied =
    std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T>;
template <class T>
    requires std::is_copy_constructible_v<T> &&
                 requires {
                     typename T::value_type;
                     typename T::allocator_type;
                 } && (!std::is_same_v<typename T::value_type, T>)
inline constexpr bool freely_copied<T> = freely_copied<typename T::value_type>;
template <class T>
inline constexpr bool freely_copied<std::optional<T>> = freely_copied<T>;
template <class A, class B>
inline constexpr bool freely_copied<std::pair<A, B>> =
    freely_copied<std::remove_const_t<A>> && freely_copied<B>;
template <class... T>
inline constexpr bool freely_copied<std::tuple<T...>> = (freely_copied<T> && ...);

/// The state behind async_result<R>: a result_core with room for the value.
///
/// Callbacks see the value (`const R&`) while somebody may take it on another thread. A simple
/// value is then copied out; any other is handed out after the callbacks have seen it.
template <class R>
class result_state : public result_core {
public:
    /// Before complete().
    template <class... Args>
    void emplace(Args&&... args) {
        value_.emplace(std::forward<Args>(args)...);
    }

    /// After ready(): the value, once, or the exception. Throws timeout_error if callbacks that are
    /// to see it first have not done so by then.
    R take(std::optional<steady::time_point> until = {}) {
        mark_observed();
        if (error()) std::rethrow_exception(error());
        if (taken_.exchange(true, std::memory_order_relaxed))
            throw std::future_error{std::future_errc::future_already_retrieved};
        if (has_readers()) {
            if constexpr (freely_copied<R>) return *value_;
            if (!await_readers(readers_, until)) {
                taken_.store(false, std::memory_order_relaxed);
                throw timeout_error{timeout_kind::waiting};
            }
        }
        R value = std::move(*value_);
        value_.reset();
        return value;
    }

    /// take() would wait for readers.
    [[nodiscard]] bool shown_first() const noexcept { return !freely_copied<R> && has_readers(); }
    void add_reader() noexcept {
        if constexpr (!freely_copied<R>) readers_.fetch_add(1, std::memory_order_relaxed);
        note_reader();
    }
    /// Shows the value to a reader that was added. False: it has been moved out before.
    template <class F>
    bool read(F&& see) {
        const bool is_there = value_.has_value();
        if (is_there) std::forward<F>(see)(std::as_const(*value_));
        if constexpr (!freely_copied<R>) reader_gone(readers_);
        return is_there;
    }

private:
    std::optional<R> value_;
    result_core::reader_count readers_{0}; // that whoever takes the value waits for
    std::atomic<bool> taken_{false};
};

template <>
class result_state<void> : public result_core {
public:
    void emplace() noexcept {}
    [[nodiscard]] bool shown_first() const noexcept { return false; }
    void take(const std::optional<steady::time_point>& /*until*/ = {}) {
        mark_observed();
        if (error()) std::rethrow_exception(error());
    }
};

} // namespace coproc::detail
