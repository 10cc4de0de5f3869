// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A function with its arguments, to be called later and elsewhere. Functions, captureless lambdas
// and function objects whose members can be sent are taken as they are; bind_front stands for
// captures.

#include <coproc/bind_front.hpp>
#include <coproc/codec.hpp>
#include <coproc/detail/call_invoker.hpp>
#include <coproc/detail/check_job.hpp>
#include <coproc/detail/job_state.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace coproc {

/// F can be called with Args in another process, and its result can be sent back.
template <class F, class... Args>
concept job_callable = detail::is_job<F, Args...>();

/// A call whose type has been forgotten: pool_options::initializer, for one. A copyable handle to
/// one stored call; copies may be used from any thread. What the function returns is dropped.
class job {
public:
    /// Empty: nothing to do.
    job() noexcept = default;

    /// Stores the function and its arguments, which arrive as travel types (see codec.hpp).
    template <class F, class... Args>
        requires(!std::is_same_v<std::remove_cvref_t<F>, job>)
    explicit job(F&& function, Args&&... args)
        : state_{detail::make_job<true>(std::forward<F>(function), std::forward<Args>(args)...)} {}

    /// Whether there is something to do.
    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

    /// Calls it here and now, with copies of the arguments: of those that can only be moved, what
    /// another process would get. A dummy::job with arguments that can be neither copied nor sent
    /// can run once. *Exceptions*: what the function throws; std::logic_error for a second run that
    /// cannot be.
    void operator()() const { state_->run(); }

    /// For the library.
    [[nodiscard]] const detail::job_state* state() const noexcept { return state_.get(); }

private:
    explicit job(std::shared_ptr<const detail::job_state> state) noexcept
        : state_{std::move(state)} {}
    template <class F, class... Args>
    friend job detail::local_job(F&&, Args&&...);

    std::shared_ptr<const detail::job_state> state_;
};

} // namespace coproc

namespace coproc::detail {

/// A job for threads: takes anything, and refuses to be encoded.
template <class F, class... Args>
job local_job(F&& function, Args&&... args) {
    return job{std::shared_ptr<const job_state>{
        make_job<false>(std::forward<F>(function), std::forward<Args>(args)...)}};
}

} // namespace coproc::detail
