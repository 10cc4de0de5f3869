// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/thread_target.hpp>
#include <coproc/process_handle.hpp>
#include <coproc/process_options.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace coproc::dummy {

/// coproc::process on a thread of this program, under the same name and with the same calls. It
/// takes any callable and any arguments, copies nothing but what std::thread would, and shares what
/// is referred to; a function that takes only what would arrive in a process (a string where a
/// string_view is given) gets that.
///
/// What a thread cannot do: be stopped. terminate() and kill() ask through
/// this_task::stop_token(), on whose callbacks they run, and the thread goes on until its function
/// returns; a function that returns after that has the exit code -SIGTERM or -SIGKILL, as the
/// process would have. A crash or std::exit() in the function ends the program. pid() is the
/// program's. At exit the daemons are asked to stop and left alone: they run on while static
/// objects are destroyed, so a daemon should watch its stop token, or use nothing static.
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
        : process_owner{detail::new_thread_process(
              std::move(options),
              detail::make_thread_target(std::forward<F>(function), std::forward<Args>(args)...))} {
    }

    /// Starts it. *Exceptions*: std::logic_error if it was started before; std::system_error if
    /// there is no thread to be had; then it may be started again.
    void start() { detail::start_thread_process(get()); }
};

} // namespace coproc::dummy
