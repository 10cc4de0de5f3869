// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/waiting.hpp>

namespace coproc::detail::threads {

/// What those pass for whom a condition holds, and others wait at: what events, latches and
/// semaphores have in common.
class gate : public std::enable_shared_from_this<gate> {
public:
    using passage = pending_on<void, gate>;

    gate() = default;
    gate(const gate&) = delete;
    gate& operator=(const gate&) = delete;

    [[nodiscard]] bool try_now();
    [[nodiscard]] boost::intrusive_ptr<passage> start();
    bool withdraw(passage& op) noexcept;
    bool cancel(passage& op) noexcept;

protected:
    virtual ~gate() = default;

    /// True: it may pass at once. False: it is woken when it may.
    [[nodiscard]] bool enter(waiter& w);
    /// Under the mutex: it fails, and what it was handed goes to others.
    void call_off(waiter& w, result_core& op, wake_list& wake) noexcept;

    // Under the mutex:
    /// Lets one pass, if it may.
    virtual bool pass() noexcept = 0;
    /// One who was let pass has not made use of it.
    virtual void pass_unused(wake_list& wake) noexcept;
    /// Lets those who have waited longest pass, as long as they may.
    void let_pass(wake_list& wake) noexcept {
        while (!waiting_.empty() && pass())
            waiting_.wake_front(wake);
    }

    mutable std::mutex mutex_;
    wait_list waiting_;
};

} // namespace coproc::detail::threads
