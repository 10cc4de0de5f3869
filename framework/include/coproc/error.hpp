// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Everything that coproc throws. Two questions are answered by type: what went wrong (coproc::error
// and its children, or the standard exception that a task threw) and where (coproc::task_failure, a
// mixin):
//
//     try { co_await pool.map_async(f, inputs); }
//     catch (const std::out_of_range& e)    { ... }              // thrown by f, in another process
//     catch (const coproc::task_failure& e) { log(e.index(), e.backtrace()); }
//
// All types are copyable without throwing, as exceptions must be, and may be read from several
// threads.

#include <coproc/detail/failure_info.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/types.h>
#include <utility>

namespace coproc {

/// Base of all errors of this library.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Where a task failed. Has no standard base, so that a catch of a standard type is never
/// ambiguous.
class task_failure {
public:
    task_failure() : task_failure{detail::failure_info{}} {}
    /// For the library.
    explicit task_failure(detail::failure_info where)
        : where_{std::make_shared<const detail::failure_info>(std::move(where))} {}
    task_failure(const task_failure&) noexcept = default;
    task_failure& operator=(const task_failure&) noexcept = default;
    virtual ~task_failure();

    /// The item's position in its map; 0 for a single call.
    [[nodiscard]] std::size_t index() const noexcept { return where_->index; }
    /// task_options::label, or "".
    [[nodiscard]] const std::string& label() const noexcept { return where_->label; }
    /// On threads the program's own; 0 if no worker had it yet.
    [[nodiscard]] pid_t worker_pid() const noexcept { return where_->worker_pid; }
    /// "pool-3" for the third worker of a pool without a name.
    [[nodiscard]] const std::string& worker_name() const noexcept { return where_->worker_name; }
    /// Where the task threw or crashed, one line per frame; may be empty. Symbolised on the first
    /// call.
    [[nodiscard]] std::string backtrace() const { return where_->backtrace.text(); }

    /// For the library.
    [[nodiscard]] const detail::failure_info& where() const noexcept { return *where_; }

private:
    std::shared_ptr<const detail::failure_info> where_;
};

/// Which time ran out: that of a caller who waited, or the task's own.
enum class timeout_kind {
    waiting, // a get or wait gave up; the task goes on
    queued,  // the task did not start in time (task_options::queue_timeout)
    running, // the task was stopped (task_options::timeout)
};

/// A time ran out; kind() says which. One of a task is a task_failure too.
class timeout_error : public error {
public:
    using enum timeout_kind;

    explicit timeout_error(timeout_kind kind = timeout_kind::waiting);
    timeout_error(timeout_kind kind, const std::string& what) : error{what}, kind_{kind} {}

    /// Which time it was.
    [[nodiscard]] timeout_kind kind() const noexcept { return kind_; }

private:
    timeout_kind kind_;
};

/// The task was dropped or stopped before it had a result.
class cancelled_error : public error {
public:
    explicit cancelled_error(const std::string& what = "coproc: the task was cancelled")
        : error{what} {}
};

/// The worker ended in the middle of the task.
class worker_lost_error : public error, public task_failure {
public:
    /// exit_code: what the process returned, or the negative number of the signal that killed it.
    worker_lost_error(const detail::failure_info& where, int exit_code);
    worker_lost_error(detail::failure_info where, int exit_code, const std::string& what)
        : error{what}, task_failure{std::move(where)}, exit_code_{exit_code} {}

    /// Of the worker: worker_pid().
    [[nodiscard]] pid_t pid() const noexcept { return worker_pid(); }
    /// What the process returned, or the negative number of the signal that killed it, as in
    /// Python.
    [[nodiscard]] int exit_code() const noexcept { return exit_code_; }
    /// "SIGSEGV" and the like; empty when the worker left by itself.
    [[nodiscard]] std::string signal_name() const;

private:
    int exit_code_;
};

/// An exception of a type that does not travel (see register_exception). what() is the original
/// text.
class remote_error : public error, public task_failure {
public:
    remote_error(std::string type_name, const std::string& what, detail::failure_info where = {})
        : error{what},
          task_failure{std::move(where)},
          type_name_{std::make_shared<const std::string>(std::move(type_name))} {}

    /// The demangled name of the type that was thrown.
    [[nodiscard]] const std::string& type_name() const noexcept { return *type_name_; }

private:
    std::shared_ptr<const std::string> type_name_;
};

/// Work was given to a pool after close() or terminate().
class pool_closed_error : public error {
public:
    explicit pool_closed_error(const std::string& what = "coproc: the pool takes no more work")
        : error{what} {}
};

/// Worker processes cannot be started; the text says what to do.
class bootstrap_error : public error {
public:
    using error::error;
};

/// A value could not be encoded or decoded.
class serialization_error : public error {
public:
    using error::error;
};

/// Nothing was in the queue. (Of facilities to come, as the errors below.)
class queue_empty_error : public error {
public:
    explicit queue_empty_error(const std::string& what = "coproc: the queue is empty")
        : error{what} {}
};

/// There was no room in the queue.
class queue_full_error : public error {
public:
    explicit queue_full_error(const std::string& what = "coproc: the queue is full")
        : error{what} {}
};

/// The queue was closed and is empty, or takes no more.
class queue_closed_error : public error {
public:
    explicit queue_closed_error(const std::string& what = "coproc: the queue is closed")
        : error{what} {}
};

/// A party of the barrier has gone, or it was aborted.
class broken_barrier_error : public error {
public:
    explicit broken_barrier_error(const std::string& what = "coproc: the barrier is broken")
        : error{what} {}
};

/// The process that held the lock died; the caller does not hold it, and the next attempt works
/// again.
class owner_died_error : public error {
public:
    explicit owner_died_error(const std::string& what = "coproc: the owner of the lock died")
        : error{what} {}
};

/// The last sender of a pipe is gone.
class end_of_stream_error : public error {
public:
    explicit end_of_stream_error(const std::string& what = "coproc: the other end is gone")
        : error{what} {}
};

/// The other side did not accept the key.
class authentication_error : public error {
public:
    explicit authentication_error(const std::string& what = "coproc: the key was not accepted")
        : error{what} {}
};

/// An exception as text, in the manner of a Python remote traceback: where it was thrown, then
/// `type: what`, with the exceptions nested in it. Empty for a null pointer.
[[nodiscard]] std::string format_exception(const std::exception_ptr& exception);

} // namespace coproc

namespace coproc::detail {

/// A task's exception of a known type E: caught as E and as task_failure.
template <class E>
class failed : public E, public task_failure {
public:
    failed(const E& cause, failure_info where) : E(cause), task_failure{std::move(where)} {}
};

/// "SIGSEGV" for 11; "signal 77" for one without a name.
[[nodiscard]] std::string signal_name(int signal);

} // namespace coproc::detail
