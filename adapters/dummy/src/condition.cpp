// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/condition.hpp>

#include <coproc/dummy/detail/recursive_core.hpp>

#include <atomic>
#include <cstdint>
#include <mutex_core.hpp>
#include <stdexcept>

namespace coproc {
namespace detail::threads {

void lock_not_held() {
    throw std::logic_error{
        "coproc: a condition was waited on without its lock: lock it first, it is let go of during "
        "the wait"};
}

held_lock::held_lock(const dummy::mutex& lock) : mutex_{lock.core_} {
    if (!mutex_->held()) lock_not_held();
}

held_lock::held_lock(const dummy::recursive_mutex& lock) : recursive_{lock.core_} {
    if (!recursive_->mine()) lock_not_held();
}

class condition_core final : public std::enable_shared_from_this<condition_core> {
public:
    class wait_operation final : public pending<void> {
    public:
        wait_operation(std::shared_ptr<condition_core> on, const held_lock& lock)
            : on_{std::move(on)}, mutex_{lock.mutex_}, guard_{lock.guard_} {}

        bool cancel() noexcept override { return on_->cancel(*this); }
        /// Nobody would unlock the mutex: it is not locked again. If it has been, it is the
        /// coroutine's.
        void abandon() noexcept override {
            auto expected = end::open;
            if (end_.compare_exchange_strong(expected, end::abandoned)) guard_.release();
            cancel();
        }

        // Of the condition, under its mutex; listed() may be about the list of those who wait for
        // the lock.
        bool waits = true;

    private:
        /// Of one that locks a mutex again: has it, or nobody wants it any more.
        enum class end : std::uint8_t { open, reached, abandoned };

        /// First that its wait is over, then that it has the lock. A recursive mutex is locked by
        /// its thread.
        void woken() noexcept override {
            if (mutex_ != nullptr && !abandoned_before_lock()) {
                if (!std::exchange(relocks_, true) && !mutex_->lock_for(*this)) return;
                auto expected = end::open;
                if (!end_.compare_exchange_strong(expected, end::reached)) mutex_->unlock();
            }
            complete();
        }
        [[nodiscard]] bool abandoned_before_lock() const noexcept {
            return !relocks_ && end_.load() == end::abandoned;
        }

        const std::shared_ptr<condition_core> on_;
        const std::shared_ptr<mutex_core> mutex_;
        const held_guard guard_;
        bool relocks_ = false;
        std::atomic<end> end_{end::open};
    };

    boost::intrusive_ptr<wait_operation> start(const held_lock& lock) {
        boost::intrusive_ptr<wait_operation> op{new wait_operation{shared_from_this(), lock}};
        {
            const std::scoped_lock hold{mutex_};
            waiting_.push_back(*op);
        }
        // From here on it is notified; so nothing is lost between the two.
        if (lock.mutex_ != nullptr && !lock.mutex_->unlock()) {
            forget(*op, *lock.mutex_);
            lock_not_held();
        }
        return op;
    }

    bool wait(const held_lock& lock, const deadline& until) {
        const auto op = start(lock);
        if (lock.mutex_ != nullptr) {
            if (wait_on(*op, until)) return true;
            const bool late = give_up(*op);
            wait_on(*op, {});
            return !late;
        }
        const auto depth = lock.recursive_->unlock_all();
        const bool notified = wait_on(*op, until) || !give_up(*op);
        lock.recursive_->relock(depth);
        return notified;
    }

    void notify(std::size_t n) {
        wake_list wake;
        const std::scoped_lock hold{mutex_};
        for (; n != 0 && !waiting_.empty(); --n)
            end(front(), wake);
    }

    bool cancel(wait_operation& op) noexcept {
        wake_list wake;
        const std::scoped_lock hold{mutex_};
        if (op.error()) return false;
        op.set_error(wait_cancelled());
        if (op.waits)
            end(op, wake);
        else if (!waiting_.empty())
            end(front(), wake); // nobody will know that it was notified
        return true;
    }

private:
    wait_operation& front() noexcept { return static_cast<wait_operation&>(waiting_.front()); }
    void end(wait_operation& op, wake_list& wake) noexcept {
        op.waits = false;
        waiting_.wake(op, wake);
    }
    /// Ends the wait of one whose time is up. False: it was notified.
    bool give_up(wait_operation& op) {
        wake_list wake;
        const std::scoped_lock hold{mutex_};
        if (!op.waits) return false;
        end(op, wake);
        return true;
    }
    /// The wait has not begun.
    void forget(wait_operation& op, mutex_core& mutex) {
        {
            const std::scoped_lock hold{mutex_};
            if (std::exchange(op.waits, false)) {
                waiting_.remove(op);
                return;
            }
        }
        notify(1);
        wait_on(op, {});
        mutex.unlock();
    }

    std::mutex mutex_;
    wait_list waiting_;
};

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

condition::condition() : core_{std::make_shared<condition_core>()} {}

void condition::notify_all() const { wake(std::numeric_limits<std::size_t>::max()); }

bool condition::wait_until(const held_lock& lock, const deadline& until) const {
    return core_->wait(lock, until);
}

detail::state_ptr<void> condition::start_wait(const held_lock& lock) const {
    return core_->start(lock);
}

void condition::wake(std::size_t n) const { core_->notify(n); }

} // namespace dummy
} // namespace coproc
