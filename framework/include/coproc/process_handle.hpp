// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/child.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <boost/asio/deferred.hpp>

#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

/// A light, copyable reference to a process that somebody has made: what active_children() lists,
/// and what a `process` converts to. Dropping it does nothing. All functions may be called from any
/// thread; on an empty handle, and on one that a fork has copied from the parent, they throw
/// std::logic_error.
///
/// With `coproc::dummy` it refers to a thread that plays a process.
class process_handle {
public:
    /// Refers to nothing.
    process_handle() noexcept = default;

    /// Waits until the process has ended. *Exceptions*: std::logic_error if it was not started or
    /// is the calling one; bootstrap_error if it could not run because the program's main lacks the
    /// runtime line. What the target threw is printed by the process itself: see exit_code().
    void join() const { static_cast<void>(get().join({})); }
    /// The same for so long at most; false when it still runs then.
    bool join(duration timeout) const { return get().join(detail::deadline_after(timeout)); }
    /// The same without blocking. *Completion signature*: `void(std::exception_ptr)`, on the
    /// handler's associated executor. *Cancellation*: any type ends the wait with cancelled_error,
    /// and leaves the process alone.
    template <asio::completion_token_for<detail::result_signature_t<void>> Token = asio::deferred_t>
    auto async_join(Token&& token = Token()) const {
        return detail::async_start<void>([child = child_] { return of(child).start_join(); },
                                         std::forward<Token>(token));
    }

    /// Started and not ended yet.
    [[nodiscard]] bool is_alive() const { return get().is_alive(); }
    /// Empty while it is alive and before it was started; then what it ended with: 0, 1 after an
    /// exception, what it gave to std::exit, or the negative number of the signal that killed it.
    [[nodiscard]] std::optional<int> exit_code() const { return get().exit_code(); }

    /// Sends SIGTERM to the process, which ends it unless it handles that. Nothing happens to one
    /// that has ended. *Exceptions*: std::logic_error if it was not started.
    void terminate() const { get().stop(detail::child::request::terminate); }
    /// Sends SIGKILL to the process and to what it has started in its process group.
    void kill() const { get().stop(detail::child::request::kill); }

    /// What process_options said, or "process-1" and so on.
    [[nodiscard]] std::string name() const { return get().name(); }
    /// Whether it ends with the process that started it, instead of being waited for.
    [[nodiscard]] bool daemon() const { return get().daemon(); }
    /// 0 before it was started. Of threads (dummy): the program's.
    [[nodiscard]] pid_t pid() const { return get().pid(); }

    /// Whether it refers to a process, started or not.
    [[nodiscard]] bool valid() const noexcept { return child_ != nullptr; }

    /// Whether both refer to the same process.
    friend bool operator==(const process_handle& a, const process_handle& b) noexcept {
        return a.child_ == b.child_;
    }

    /// For the library.
    explicit process_handle(detail::child_ptr child) noexcept : child_{std::move(child)} {}

protected:
    /// For the library. *Exceptions*: std::logic_error when empty.
    [[nodiscard]] detail::child& get() const { return of(child_); }

private:
    friend class detail::process_owner;
    static detail::child& of(const detail::child_ptr& child) {
        if (!child) detail::refuse_empty_process();
        return *child;
    }

    detail::child_ptr child_;
};

} // namespace coproc

namespace coproc::detail {

/// What the owner of a process can do besides: `process` and `process_base` of either backend.
class process_owner : public process_handle {
public:
    process_owner(const process_owner&) = delete;
    process_owner& operator=(const process_owner&) = delete;

    using process_handle::daemon;
    using process_handle::name;

    /// Names it anew; once it was started, for this side only.
    void name(std::string name) { get().rename(std::move(name)); }
    /// *Exceptions*: std::logic_error once it was started.
    void daemon(bool daemon) { get().set_daemon(daemon); }
    /// Lets go of a process that was not started or has ended; the handle is empty then.
    /// *Exceptions*: std::logic_error while it is alive.
    void close();

protected:
    process_owner() noexcept = default;
    explicit process_owner(child_ptr child) noexcept : process_handle{std::move(child)} {}
    process_owner(process_owner&& other) noexcept
        : process_handle{std::exchange(other.child_, nullptr)} {}
    process_owner& operator=(process_owner&& other) noexcept;
    ~process_owner();
};

} // namespace coproc::detail
