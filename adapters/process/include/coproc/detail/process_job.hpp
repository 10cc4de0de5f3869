// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a process is to run, as it travels: a function with its arguments, or an object with run().
// In the child an invoker decodes it, says that it has done so (the parent gets the memory of the
// arguments back while the process runs), and calls it.

#include <coproc/codec.hpp>
#include <coproc/detail/call_invoker.hpp>
#include <coproc/detail/check_job.hpp>
#include <coproc/detail/child.hpp>
#include <coproc/detail/invoker.hpp>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// In the parent.
class process_job {
public:
    virtual ~process_job() = default;
    [[nodiscard]] virtual invoker remote() const noexcept = 0;
    virtual void size(sizer& s) const = 0;
    virtual void encode(writer& w) const = 0;
};

/// In the child.
class process_call : public call_context {
public:
    using call_context::call_context;
    virtual void arguments_taken() = 0;
    /// The process as its own object sees it.
    [[nodiscard]] virtual child_ptr self() = 0;

protected:
    ~process_call() = default;
};

template <class F, class... Args>
class function_job final : public process_job {
public:
    template <class Function, class... Given>
    explicit function_job(Function&& function, Given&&... args)
        : function_(std::forward<Function>(function)), args_(std::forward<Given>(args)...) {}

    invoker remote() const noexcept override { return &run; }
    void size(sizer& s) const override {
        std::apply([&](const Args&... args) { size_call(s, function_, args...); }, args_);
    }
    void encode(writer& w) const override {
        std::apply([&](const Args&... args) { encode_call(w, function_, args...); }, args_);
    }

private:
    static void run(call_context& call) {
        F function = decode<F>(call.in());
        std::tuple<Args...> args{decode<Args>(call.in())...};
        static_cast<process_call&>(call).arguments_taken();
        std::apply([&](Args&... x) { static_cast<void>(invoke_once(function, std::move(x)...)); },
                   args);
    }

    F function_;
    std::tuple<Args...> args_;
};

/// Null only where a static_assert has said why.
template <class F, class... Args>
std::unique_ptr<const process_job> make_process_job(F&& function, Args&&... args) {
    if constexpr (!sendable<std::decay_t<F>> || !(sendable<travel_t<Args>> && ...) ||
                  !can_call<F, Args...>) {
        check_job<F, Args...>();
        return nullptr;
    } else {
        return std::make_unique<const function_job<std::decay_t<F>, travel_t<Args>...>>(
            std::forward<F>(function), to_travel(std::forward<Args>(args))...);
    }
}

/// `job` may be null, and given with the start.
child_ptr new_process(process_options options, std::unique_ptr<const process_job> job);
/// Runs the job it was made with, and lets go of it once it was sent.
void start_process(child& process);
void start_process(child& process, const process_job& job);
/// What new_process returns next on this thread: for an object that is made in the process that it
/// is.
void make_next_process(child_ptr self) noexcept;

} // namespace coproc::detail
