// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/gate.hpp>

#include <deque>

namespace coproc::detail::threads {

/// How many elements of a joinable queue are still to be done.
class unfinished final : public gate {
public:
    void add() noexcept;
    /// Throws std::logic_error when there are none.
    void task_done();

private:
    bool pass() noexcept override { return count_ == 0; }

    std::size_t count_ = 0;
};

/// Elements on their way from those who put to those who get: behind queues, and behind each
/// direction of a pipe. Both kinds wait in lines of their own, and an element goes to the one who
/// has waited longest. Elements are moved and destroyed under the mutex one at a time, so they must
/// not use this channel then.
template <class T>
class channel {
public:
    /// What is thrown once it is closed.
    using ending = std::exception_ptr (*)();
    /// Keeps the channel alive as long as an operation on it is under way.
    using keeper = std::shared_ptr<const void>;

    /// A bound of 0 is none.
    channel(std::size_t bound, ending error, std::shared_ptr<unfinished> work = nullptr) noexcept
        : bound_{bound}, closed_error_{error}, work_{std::move(work)} {}

    class get_operation final : public pending<T> {
    public:
        get_operation(channel& of, keeper kept) : of_{of}, kept_{std::move(kept)} {}
        bool cancel() noexcept override { return of_.cancel(*this); }

    private:
        channel& of_;
        const keeper kept_;
    };
    class put_operation final : public pending<void> {
    public:
        put_operation(channel& of, keeper kept, T&& x)
            : value{std::move(x)}, of_{of}, kept_{std::move(kept)} {}
        bool cancel() noexcept override { return of_.cancel(*this, of_.putters_); }

        T value;

    private:
        channel& of_;
        const keeper kept_;
    };
    class poll_operation final : public pending<void> {};

    /// False, and `x` is untouched, if there is no room.
    template <class U>
    bool try_put(U&& x) {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        require_open();
        return accept(std::forward<U>(x), wake);
    }
    bool put(T&& x, const deadline& until, const keeper& kept) {
        if (try_put(std::move(x))) return true;
        if (passed(until)) return false;
        const auto op = start_put(std::move(x), kept);
        if (!wait_on(*op, until) && withdraw(*op, putters_)) return false;
        wait_on(*op, {});
        op->take();
        return true;
    }
    boost::intrusive_ptr<put_operation> start_put(T&& x, keeper kept) {
        boost::intrusive_ptr<put_operation> op{
            new put_operation{*this, std::move(kept), std::move(x)}};
        {
            wake_list wake;
            const std::scoped_lock lock{mutex_};
            require_open();
            if (!accept(std::move(op->value), wake)) {
                putters_.push_back(*op);
                return op;
            }
        }
        op->complete();
        return op;
    }

    std::optional<T> try_get() {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (!items_.empty()) return take(wake);
        require_open();
        return {};
    }
    /// Empty when the time was up.
    std::optional<T> get(const deadline& until, const keeper& kept) {
        if (auto x = try_get()) return x;
        if (passed(until)) return {};
        const auto op = start_get(kept);
        if (!wait_on(*op, until) && withdraw(*op, getters_)) return {};
        wait_on(*op, {});
        return op->take();
    }
    boost::intrusive_ptr<get_operation> start_get(keeper kept) {
        boost::intrusive_ptr<get_operation> op{new get_operation{*this, std::move(kept)}};
        {
            wake_list wake;
            const std::scoped_lock lock{mutex_};
            if (items_.empty()) {
                require_open();
                getters_.push_back(*op);
                return op;
            }
            op->emplace(take(wake));
        }
        op->complete();
        return op;
    }

    /// Whether a get would not wait: also at the end.
    bool poll(const deadline& until) {
        boost::intrusive_ptr<poll_operation> op;
        {
            const std::scoped_lock lock{mutex_};
            if (!items_.empty() || closed_) return true;
        }
        if (passed(until)) return false;
        op.reset(new poll_operation);
        {
            const std::scoped_lock lock{mutex_};
            if (!items_.empty() || closed_) return true;
            pollers_.push_back(*op);
        }
        return wait_on(*op, until) || !withdraw(*op, pollers_);
    }

    /// Nothing more is put; what there is can still be got.
    void close() {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        end(wake);
    }
    /// Nobody will get anything any more.
    void abandon() {
        std::deque<T> dropped; // destroyed without the lock: elements may be handles
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        end(wake);
        dropped.swap(items_);
    }

    [[nodiscard]] std::size_t size() const {
        const std::scoped_lock lock{mutex_};
        return items_.size();
    }
    [[nodiscard]] bool full() const {
        const std::scoped_lock lock{mutex_};
        return no_room();
    }
    [[nodiscard]] bool closed() const {
        const std::scoped_lock lock{mutex_};
        return closed_;
    }
    [[nodiscard]] std::size_t bound() const noexcept { return bound_; }
    [[nodiscard]] unfinished& work() const noexcept { return *work_; }

private:
    // All under the mutex. While anyone waits in get there are no elements; while anyone waits in
    // put there is no room.

    [[nodiscard]] bool no_room() const noexcept { return bound_ != 0 && items_.size() >= bound_; }
    void require_open() const {
        if (closed_) std::rethrow_exception(closed_error_());
    }
    get_operation& first_getter() noexcept { return static_cast<get_operation&>(getters_.front()); }

    template <class U>
    bool accept(U&& x, wake_list& wake) {
        if (no_room()) return false;
        if (getters_.empty()) {
            items_.push_back(std::forward<U>(x));
            pollers_.wake_all(wake);
        } else {
            give(first_getter(), std::forward<U>(x), wake);
        }
        if (work_ != nullptr) work_->add();
        return true;
    }
    template <class U>
    void give(get_operation& to, U&& x, wake_list& wake) noexcept {
        try {
            to.emplace(std::forward<U>(x));
        } catch (...) {
            to.set_error(std::current_exception()); // of moving or copying the element
        }
        getters_.wake(to, wake);
    }
    T take(wake_list& wake) {
        T x{std::move(items_.front())};
        items_.pop_front();
        while (!putters_.empty() && !no_room()) {
            auto& next = static_cast<put_operation&>(putters_.front());
            try {
                accept(std::move(next.value), wake);
            } catch (...) {
                next.set_error(std::current_exception());
            }
            putters_.wake(next, wake);
        }
        return x;
    }

    void end(wake_list& wake) {
        closed_ = true;
        fail_all<put_operation>(putters_, wake);
        fail_all<get_operation>(getters_, wake);
        pollers_.wake_all(wake);
    }
    template <class Operation>
    void fail_all(wait_list& list, wake_list& wake) {
        while (!list.empty()) {
            static_cast<Operation&>(list.front()).set_error(closed_error_());
            list.wake_front(wake);
        }
    }

    template <class Operation>
    bool withdraw(Operation& op, wait_list& from) noexcept {
        const std::scoped_lock lock{mutex_};
        if (!op.listed()) return false;
        from.remove(op);
        return true;
    }
    /// One that waits; what has been put stays.
    template <class Operation>
    bool cancel(Operation& op, wait_list& from) noexcept {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (!op.listed()) return false;
        op.set_error(wait_cancelled());
        from.wake(op, wake);
        return true;
    }
    /// Also one that was given an element of which its handler does not know yet: another gets it.
    bool cancel(get_operation& op) noexcept {
        if (cancel(op, getters_)) return true;
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (op.error()) return false;
        if (getters_.empty()) {
            items_.push_front(op.take());
            pollers_.wake_all(wake);
        } else {
            give(first_getter(), op.take(), wake);
        }
        op.set_error(wait_cancelled());
        return true;
    }

    const std::size_t bound_;
    const ending closed_error_;
    const std::shared_ptr<unfinished> work_;
    mutable std::mutex mutex_;
    std::deque<T> items_;
    wait_list getters_;
    wait_list putters_;
    wait_list pollers_;
    bool closed_ = false;
};

} // namespace coproc::detail::threads
