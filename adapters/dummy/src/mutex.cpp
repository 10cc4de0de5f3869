// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/mutex.hpp>

#include <mutex_core.hpp>
#include <stdexcept>

namespace coproc {
namespace detail::threads {

bool mutex_core::unlock() noexcept {
    auto expected = locked;
    if (state_.compare_exchange_strong(expected, unlocked, std::memory_order_release,
                                       std::memory_order_relaxed))
        return true;
    wake_list wake;
    const std::scoped_lock lock{mutex_};
    if (!held()) return false;
    if (waiting_.empty())
        state_.store(unlocked, std::memory_order_release);
    else
        waiting_.wake_front(wake); // it stays locked: it is theirs now
    return true;
}

bool mutex_core::lock_for(waiter& w) noexcept {
    const std::scoped_lock lock{mutex_};
    // From here on, unlock looks at the list.
    if (state_.exchange(contended, std::memory_order_acquire) == unlocked) return true;
    waiting_.push_back(w);
    return false;
}

auto mutex_core::start() -> boost::intrusive_ptr<lock_operation> {
    boost::intrusive_ptr<lock_operation> op{new lock_operation{shared_from_this()}};
    if (lock_for(*op)) op->complete();
    return op;
}

bool mutex_core::withdraw(lock_operation& op) noexcept {
    const std::scoped_lock lock{mutex_};
    if (!op.listed()) return false;
    waiting_.remove(op);
    return true;
}

bool mutex_core::cancel(lock_operation& op) noexcept {
    {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        const bool waits = op.listed();
        if (!waits && op.error()) return false;
        op.set_error(wait_cancelled());
        if (waits) {
            waiting_.wake(op, wake);
            return true;
        }
    }
    unlock(); // it was handed over, and nobody will know
    return true;
}

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

mutex::mutex() : core_{std::make_shared<mutex_core>()} {}

void mutex::lock() const { block(*core_, {}); }

bool mutex::try_lock() const noexcept { return core_->try_now(); }

bool mutex::try_lock_until(std::chrono::steady_clock::time_point until) const {
    return block(*core_, until);
}

void mutex::unlock() const {
    if (!core_->unlock())
        throw std::logic_error{"coproc: unlock of a mutex that is not held: lock it first, and "
                               "unlock it once"};
}

detail::state_ptr<void> mutex::start_lock() const { return core_->start(); }

} // namespace dummy
} // namespace coproc
