// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a pool needs from the place where work runs. Small on purpose: a worker need not be a child
// process, share memory, or run a task only once.

#include <coproc/detail/result_core.hpp>
#include <coproc/detail/work.hpp>
#include <coproc/pool_options.hpp>
#include <coproc/pool_stats.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace coproc::detail {

class backend : public boost::intrusive_ref_counter<backend> {
public:
    explicit backend(const pool_options& options);
    backend(const backend&) = delete;
    backend& operator=(const backend&) = delete;
    virtual ~backend() = default;

    /// Throws pool_closed_error after close() or terminate(). The work knows its result; nothing
    /// else is returned.
    virtual void submit(work& w) = 0;
    /// A stream's input goes on by `items`, or has ended.
    virtual void extend(work& w, std::uint64_t items, bool more_to_come) = 0;
    /// True if the work fails with cancelled_error because of this call.
    virtual bool cancel(work& w) = 0;
    /// A thread that waits for the work lends itself for a short, bounded time.
    virtual void help(work& w) noexcept = 0;

    virtual void close() = 0;
    virtual void terminate() = 0;
    /// Lets streams that `consumer` reads end, since it is about to wait for this pool instead of
    /// reading.
    virtual void abandon_streams_of(std::thread::id consumer) = 0;
    [[nodiscard]] virtual bool closed() const = 0;
    /// Ready when the pool is closed and no worker is left.
    [[nodiscard]] virtual result_state<void>& joined() noexcept = 0;

    /// Not const: a backend may first have to put in order what was left to it.
    [[nodiscard]] virtual pool_stats stats() = 0;
    [[nodiscard]] virtual std::size_t workers() const noexcept = 0;
    /// Whether a task of this pool runs on the calling thread: a join from there would wait for
    /// itself.
    [[nodiscard]] virtual bool on_worker_thread() const noexcept { return false; }

    /// This process is a fork's child and the pool its parent's: workers, threads and locks are out
    /// of reach.
    [[nodiscard]] bool inherited() const noexcept;

    [[nodiscard]] const asio::any_io_executor* callback_executor() const noexcept {
        return callback_executor_ ? &callback_executor_ : nullptr;
    }
    [[nodiscard]] const task_options& defaults() const noexcept { return defaults_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    const unsigned generation_;
    asio::any_io_executor callback_executor_;
    std::string name_;
    std::string default_label_;
    task_options defaults_;
};

using backend_factory = std::function<backend_ptr(const pool_options&)>;

/// The backends that are always there. Each adapter defines its own.
backend_ptr make_process_backend(const pool_options& options);
backend_ptr make_dummy_backend(const pool_options& options);

/// Makes a further adapter available under a name.
void register_backend(std::string name, backend_factory factory);

/// Validates the options, finds the backend by name and makes one.
backend_ptr make_backend(const pool_options& options);

/// Throws std::logic_error if it is inherited.
void require_own(const backend& pool);

} // namespace coproc::detail
