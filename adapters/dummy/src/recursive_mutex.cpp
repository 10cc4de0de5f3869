// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/recursive_mutex.hpp>

#include <coproc/dummy/detail/recursive_core.hpp>

#include <stdexcept>

namespace coproc {
namespace detail::threads {

class recursive_core::lock_operation final : public pending<void> {
public:
    const std::thread::id who = std::this_thread::get_id();
};

bool recursive_core::take(std::thread::id who) noexcept {
    if (owner_ != std::thread::id{} && owner_ != who) return false;
    owner_ = who;
    ++depth_;
    return true;
}

void recursive_core::pass_on(wake_list& wake) noexcept {
    owner_ = {};
    depth_ = 0;
    if (waiting_.empty()) return;
    static_cast<void>(take(static_cast<lock_operation&>(waiting_.front()).who));
    waiting_.wake_front(wake);
}

bool recursive_core::try_lock() {
    const std::scoped_lock lock{mutex_};
    return take(std::this_thread::get_id());
}

bool recursive_core::lock_until(const deadline& until) {
    if (try_lock()) return true;
    if (passed(until)) return false;
    const boost::intrusive_ptr<lock_operation> op{new lock_operation};
    {
        const std::scoped_lock lock{mutex_};
        if (take(op->who)) return true;
        waiting_.push_back(*op);
    }
    if (wait_on(*op, until)) return true;
    const std::scoped_lock lock{mutex_};
    if (!op->listed()) return true;
    waiting_.remove(*op);
    return false;
}

void recursive_core::unlock() {
    wake_list wake;
    const std::scoped_lock lock{mutex_};
    if (owner_ != std::this_thread::get_id())
        throw std::logic_error{"coproc: unlock of a recursive mutex that is not held by this "
                               "thread: it is owned by the thread that locked it"};
    if (--depth_ == 0) pass_on(wake);
}

bool recursive_core::mine() const {
    const std::scoped_lock lock{mutex_};
    return owner_ == std::this_thread::get_id();
}

std::size_t recursive_core::unlock_all() {
    wake_list wake;
    const std::scoped_lock lock{mutex_};
    const auto depth = depth_;
    pass_on(wake);
    return depth;
}

void recursive_core::relock(std::size_t depth) {
    lock();
    const std::scoped_lock lock{mutex_};
    depth_ = depth;
}

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

recursive_mutex::recursive_mutex() : core_{std::make_shared<recursive_core>()} {}

void recursive_mutex::lock() const { core_->lock(); }

bool recursive_mutex::try_lock() const { return core_->try_lock(); }

bool recursive_mutex::try_lock_until(std::chrono::steady_clock::time_point until) const {
    return core_->lock_until(until);
}

void recursive_mutex::unlock() const { core_->unlock(); }

} // namespace dummy
} // namespace coproc
