// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// How threads and asynchronous operations wait for each other within a program. A noun is a state
// machine under a mutex, with lists of those who wait. Every wait is an operation: a blocking form
// starts one and sleeps on it, so that threads and coroutines stand in one line, first come, first
// served. What they waited for is handed to them while the mutex is held, so nobody comes between;
// they are told when it has been released.

#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace coproc::detail::threads {

class wait_list;
class wake_list;

/// When a wait ends at the latest; none: never.
using deadline = std::optional<steady::time_point>;

[[nodiscard]] inline bool passed(const deadline& until) noexcept {
    return until && *until <= steady::now();
}

/// One who waits, in one list at most.
class waiter {
public:
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
    /// Under the mutex of what it waits on. False: it was handed what it waited for, or has failed.
    [[nodiscard]] bool listed() const noexcept { return list_ != nullptr; }

protected:
    waiter() = default;
    ~waiter() = default;

    /// It is off its list, and no mutex is held.
    virtual void woken() noexcept = 0;
    /// Its operation, which a list keeps alive.
    virtual result_core& state() noexcept = 0;

private:
    friend class wait_list;
    friend class wake_list;
    waiter* previous_ = nullptr;
    waiter* next_ = nullptr;
    wait_list* list_ = nullptr;
};

/// Those whose wait is over, to be told so once the mutex is released: declared before the lock.
class wake_list {
public:
    wake_list() = default;
    wake_list(const wake_list&) = delete;
    wake_list& operator=(const wake_list&) = delete;
    ~wake_list();

private:
    friend class wait_list;
    waiter* first_ = nullptr;
    waiter* last_ = nullptr;
};

/// Those who wait, in the order in which they came.
class wait_list {
public:
    wait_list() = default;
    wait_list(const wait_list&) = delete;
    wait_list& operator=(const wait_list&) = delete;

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The one who has waited longest.
    [[nodiscard]] waiter& front() const noexcept { return *first_; }

    void push_back(waiter& w) noexcept;
    /// It goes without being told; the caller holds a reference to it.
    void remove(waiter& w) noexcept;

    void wake(waiter& w, wake_list& to) noexcept;
    void wake_front(wake_list& to) noexcept { wake(*first_, to); }
    void wake_all(wake_list& to) noexcept {
        while (!empty())
            wake_front(to);
    }

private:
    void unlink(waiter& w) noexcept;

    waiter* first_ = nullptr;
    waiter* last_ = nullptr;
    std::size_t size_ = 0;
};

/// A wait of which the result is an R.
template <class R>
class pending : public operation<R>, public waiter {
protected:
    void woken() noexcept override { this->complete(); }
    result_core& state() noexcept final { return *this; }
};

/// A wait on Core, which it keeps alive and which takes it off its list. Core::cancel(op) is what a
/// cancellation slot calls: also for one that was handed what it waited for, as long as its handler
/// has not been called. What it was handed must then go to somebody else.
template <class R, class Core>
class pending_on final : public pending<R> {
public:
    explicit pending_on(std::shared_ptr<Core> on) noexcept : on_{std::move(on)} {}
    bool cancel() noexcept override { return on_->cancel(*this); }

private:
    const std::shared_ptr<Core> on_;
};

/// The error of a wait that was cancelled.
[[nodiscard]] std::exception_ptr wait_cancelled() noexcept;

/// Sleeps until the operation is ready, or false when the deadline passes first.
bool wait_on(result_core& op, const deadline& until);

/// The blocking form of a wait without a value. Core has try_now(), start(), which returns an
/// operation, and withdraw(op): true if it was still waiting. False: the time was up.
template <class Core>
bool block(Core& core, const deadline& until) {
    if (core.try_now()) return true;
    if (passed(until)) return false;
    const auto op = core.start();
    if (!wait_on(*op, until)) {
        if (core.withdraw(*op)) return false;
        wait_on(*op, {});
    }
    op->take();
    return true;
}

} // namespace coproc::detail::threads
