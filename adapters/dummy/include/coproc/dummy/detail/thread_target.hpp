// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a thread that plays a process is to run. Nothing is encoded: it is kept as it was given, and
// handed to the thread.

#include <coproc/detail/check_job.hpp>
#include <coproc/detail/child.hpp>
#include <coproc/detail/policy.hpp>
#include <coproc/dummy/detail/travelled.hpp>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

class thread_target {
public:
    virtual ~thread_target() = default;
    /// Once, on the thread.
    virtual void run() = 0;
};

template <class F, class... Args>
class function_target final : public thread_target {
public:
    template <class Function, class... Given>
    explicit function_target(Function&& function, Given&&... args)
        : function_(std::forward<Function>(function)), args_(std::forward<Given>(args)...) {}

    void run() override {
        std::apply([&](Args&... x) { static_cast<void>(invoke_once(function_, std::move(x)...)); },
                   args_);
    }

private:
    F function_;
    std::tuple<Args...> args_;
};

/// Takes any callable and any arguments, as std::thread does; a function that takes only what would
/// arrive in a process gets that.
template <class F, class... Args>
std::unique_ptr<thread_target> make_thread_target(F&& function, Args&&... args) {
    using callable = std::decay_t<F>;
    constexpr bool fits = any_policy::accepts<callable, std::decay_t<Args>...>;
    if constexpr (fits) {
        return std::make_unique<function_target<callable, std::decay_t<Args>...>>(
            std::forward<F>(function), std::forward<Args>(args)...);
    } else if constexpr (any_policy::accepts<callable, travel_t<Args>...>) {
        return make_thread_target(std::forward<F>(function),
                                  threads::travelled(std::forward<Args>(args))...);
    } else {
        static_assert(fits, "coproc: the function cannot be called with these arguments; they are "
                            "passed as decayed rvalues, as std::thread does");
        return nullptr;
    }
}

/// `target` may be null, and given with the start.
child_ptr new_thread_process(process_options options, std::unique_ptr<thread_target> target);
/// Runs the target it was made with.
void start_thread_process(child& process);
void start_thread_process(child& process, std::unique_ptr<thread_target> target);
/// What new_thread_process returns next on this thread: for an object that is made in the process
/// that it is.
void make_next_thread_process(child_ptr self) noexcept;
/// The one whose thread this is; null elsewhere.
child_ptr this_thread_process() noexcept;

} // namespace coproc::detail
