// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What was started once, runs beside its parent and ends with an exit code: a process, or a thread
// that plays one. Here is what both have in common: the state, who waits, who is to be waited for
// at exit. An adapter starts it, passes signals on, and says when it has ended.

#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>
#include <coproc/process_options.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coproc::detail {

class child;
using child_ptr = boost::intrusive_ptr<child>;

/// The children of one process. Thread safe.
class child_family : public boost::intrusive_ref_counter<child_family> {
public:
    /// `numbers`: those of the process itself, see process_identity.
    explicit child_family(std::string numbers);
    child_family(const child_family&) = delete;
    child_family& operator=(const child_family&) = delete;

    /// Those of the next child: "3", or "1:3" in the process "1".
    std::string next_numbers();
    /// Those that run, in the order in which they were started.
    [[nodiscard]] std::vector<child_ptr> active() const;
    /// For the end of the process: waits for all that are no daemons, then stops the daemons and
    /// gives them so long to end.
    void finish(std::chrono::nanoseconds patience_with_daemons) noexcept;

    /// Belongs to the process that this one is a fork of.
    [[nodiscard]] bool inherited() const noexcept;

private:
    friend class child;
    [[nodiscard]] std::vector<child_ptr> all() const;
    child_ptr next_to_wait_for() const;

    const unsigned generation_;
    const std::string numbers_;
    mutable std::mutex mutex_;
    std::uint64_t made_ = 0;
    std::uint64_t started_ = 0;
    std::map<std::uint64_t, child_ptr> running_; // started, or about to be
};

using family_ptr = boost::intrusive_ptr<child_family>;

enum class family_kind { processes, threads };
/// The children of this program itself. From the first use on they are waited for at exit.
family_ptr family_of_program(family_kind kind);
/// What happens to them at exit, for whoever leaves without exit handlers. Once is enough, twice
/// does no harm.
void finish_children() noexcept;

/// Throws std::logic_error: a call on a handle that refers to nothing.
[[noreturn]] void refuse_empty_process();

class process_owner;

/// Prints the exception that is being handled, with the name of the process it ended.
void print_failure(const std::string& process_name) noexcept;

class child : public boost::intrusive_ref_counter<child> {
public:
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    virtual ~child();

    [[nodiscard]] std::string name() const;
    void rename(std::string name);
    [[nodiscard]] bool daemon() const noexcept { return daemon_.load(std::memory_order_relaxed); }
    /// *Exceptions*: std::logic_error once it was started.
    void set_daemon(bool daemon);
    /// 0 before it was started.
    [[nodiscard]] virtual pid_t pid() const noexcept = 0;

    [[nodiscard]] bool is_alive() const noexcept;
    /// Empty until it has ended.
    [[nodiscard]] std::optional<int> exit_code() const;
    enum class request { terminate, kill };
    void stop(request how);
    /// False: the deadline passed first. Throws what start() could not know yet.
    bool join(std::optional<steady::time_point> deadline);
    state_ptr<void> start_join();
    /// What the handle's destructor does: a child that is nobody else's is waited for.
    void settle() noexcept;

    /// Belongs to the process that this one is a fork of.
    [[nodiscard]] bool inherited() const noexcept { return family_->inherited(); }
    [[nodiscard]] const std::string& numbers() const noexcept { return numbers_; }

protected:
    child(family_ptr family, process_options options);
    /// The calling process (or thread) itself: it runs, and cannot be waited for.
    enum class self_tag { self };
    child(family_ptr family, process_options options, self_tag);

    /// The way of a start: begin_start, then start_failed or start_succeeded; ended() may come
    /// before the latter. Throws std::logic_error if it was started before.
    process_options begin_start();
    void start_succeeded() noexcept;
    void start_failed() noexcept;
    /// Once, from any thread. `error`: it has never run, join() throws that.
    void ended(int exit_code, std::exception_ptr error = {}) noexcept;

    [[nodiscard]] const family_ptr& family() const noexcept { return family_; }

private:
    friend class child_family;
    class join_operation;
    enum class state : std::uint8_t { made, starting, running, ended };

    /// To a child that runs, or has just ended.
    virtual void send(request how) noexcept = 0;
    /// It has, but ended() may still be under way.
    [[nodiscard]] virtual bool has_ended() const noexcept { return false; }
    /// The caller is the child, or runs on its behalf: it would wait for itself.
    [[nodiscard]] virtual bool is_caller() const noexcept = 0;
    /// What is left to do for whoever has waited for the end.
    virtual void collect() noexcept {}

    [[nodiscard]] state now() const noexcept { return state_.load(std::memory_order_acquire); }
    void require_started(const char* what) const;
    void require_joinable() const;
    void report_untold() noexcept;

    const family_ptr family_;
    const std::string numbers_;
    const bool self_ = false;
    std::atomic<bool> daemon_;
    std::atomic<state> state_{state::made};
    std::uint64_t place_ = 0; // in the family

    mutable std::mutex mutex_; // of what follows
    process_options options_;
    std::vector<boost::intrusive_ptr<join_operation>> waiting_;
    int exit_code_ = 0;        // constant once it has ended
    std::exception_ptr error_; // the same
    std::atomic<bool> told_{false};
    const boost::intrusive_ptr<operation<void>> end_{new operation<void>};
};

} // namespace coproc::detail
