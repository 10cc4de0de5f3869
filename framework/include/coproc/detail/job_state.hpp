// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a coproc::job holds.

#include <coproc/codec.hpp>
#include <coproc/detail/call_invoker.hpp>
#include <coproc/detail/check_job.hpp>
#include <coproc/detail/clone.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc {
class job;
}

namespace coproc::detail {

/// A stored call. Immutable, but for the arguments that can only be moved out; thread safe.
class job_state {
public:
    virtual ~job_state() = default;

    virtual void run() const = 0;
    /// Whether it can run more than once.
    [[nodiscard]] virtual bool repeatable() const noexcept = 0;

    /// The function that runs it in another process; null for a job that can only run here.
    [[nodiscard]] virtual invoker remote() const noexcept = 0;
    virtual void size(sizer& s) const = 0;
    virtual void encode(writer& w) const = 0;
};

template <bool Remote, class F, class... Args>
class job_of final : public job_state {
public:
    template <class Function, class... Given>
    explicit job_of(Function&& function, Given&&... args)
        : function_(std::forward<Function>(function)), args_(std::forward<Given>(args)...) {}

    void run() const override {
        if constexpr (clones) {
            F function = clone(function_);
            call(function,
                 std::apply([](const Args&... x) { return std::tuple<Args...>{clone(x)...}; },
                            args_));
        } else {
            if (spent_.exchange(true))
                throw std::logic_error{"coproc: a job whose arguments can neither be copied nor "
                                       "encoded can run only once"};
            call(function_, std::move(args_));
        }
    }

    bool repeatable() const noexcept override { return clones; }

    invoker remote() const noexcept override {
        if constexpr (Remote)
            return &call_invoker<F, void, Args...>::invoke;
        else
            return nullptr;
    }
    void size(sizer& s) const override {
        if constexpr (Remote)
            std::apply([&](const Args&... args) { size_call(s, function_, args...); }, args_);
        else
            refuse_to_travel();
    }
    void encode(writer& w) const override {
        if constexpr (Remote)
            std::apply([&](const Args&... args) { encode_call(w, function_, args...); }, args_);
        else
            refuse_to_travel();
    }

private:
    static constexpr bool clones = can_clone<F> && (can_clone<Args> && ...);

    static void call(F& function, std::tuple<Args...>&& args) {
        std::apply([&](Args&&... x) { static_cast<void>(invoke_once(function, std::move(x)...)); },
                   std::move(args));
    }
    [[noreturn]] static void refuse_to_travel() {
        throw serialization_error{
            "coproc: this job was made for a thread and cannot be sent to another process"};
    }

    mutable F function_;
    mutable std::tuple<Args...> args_;
    mutable std::atomic<bool> spent_{false};
};

/// The result may be of any type, since a job drops it.
template <bool Remote, class F, class... Args>
std::shared_ptr<const job_state> make_job(F&& function, Args&&... args) {
    if constexpr (Remote && (!sendable<std::decay_t<F>> || !(sendable<travel_t<Args>> && ...) ||
                             !can_call<F, Args...>)) {
        check_job<F, Args...>();
        return nullptr;
    } else {
        return std::make_shared<job_of<Remote, std::decay_t<F>, travel_t<Args>...>>(
            std::forward<F>(function), to_travel(std::forward<Args>(args))...);
    }
}

template <class F, class... Args>
job local_job(F&& function, Args&&... args);

} // namespace coproc::detail
