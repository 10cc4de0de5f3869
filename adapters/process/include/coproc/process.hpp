// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/process_job.hpp>
#include <coproc/process_handle.hpp>
#include <coproc/process_options.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace coproc {

/// A function that runs in a process of its own:
///
///     coproc::process p{f, 1, "two"};
///     coproc::process q{{.name = "loader", .daemon = true}, load, path};
///     p.start();
///     p.join();
///     if (p.exit_code() != 0) ...
///
/// The function and its arguments are what a pool's tasks may be (codec.hpp); they are sent by
/// start(), which also releases them here. What the function returns is dropped. The exit code is 0
/// when it returns, 1 after an exception, which is printed with the process's name, else what it
/// gave to std::exit, or the negative number of the signal that killed it.
///
/// A process never outlives the one that started it, whatever ends that one. At a normal end
/// (std::exit, the end of main, of a process's function) the processes that are no daemons are
/// waited for, then the daemons are killed; at any other end all of them are killed. A process may
/// start processes of its own, a daemon too. Each leads a process group of its own: Ctrl-C at the
/// terminal reaches the program and ends its processes with it. Standard input is /dev/null.
///
/// Move-only. The destructor waits for a process that was started, unless it is a daemon. Different
/// processes may be used from different threads, one process too, but for moving and closing it.
class process : public detail::process_owner {
public:
    /// Empty; for what is assigned to later.
    process() noexcept = default;

    /// Calls `function(args...)` once it is started.
    template <class F, class... Args>
        requires(!std::derived_from<std::remove_cvref_t<F>, process_handle> &&
                 !std::same_as<std::remove_cvref_t<F>, process_options>)
    explicit process(F&& function, Args&&... args)
        : process{process_options{}, std::forward<F>(function), std::forward<Args>(args)...} {}
    template <class F, class... Args>
    explicit process(process_options options, F&& function, Args&&... args)
        : process_owner{detail::new_process(
              std::move(options),
              detail::make_process_job(std::forward<F>(function), std::forward<Args>(args)...))} {}

    /// Starts it; returns when the process exists and the arguments are on their way.
    /// *Exceptions*: std::logic_error if it was started before; std::system_error and
    /// bootstrap_error if no process could be started; what encoding the arguments throws. Then
    /// nothing has happened, and it may be started again.
    void start() { detail::start_process(get()); }
};

} // namespace coproc
