// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What is behind a stream: values in the order of delivery, then perhaps an error, then the end.
// One consumer at a time; any number of producers' threads.

#include <coproc/detail/result_core.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace coproc::detail {

template <class T>
class stream_state {
public:
    using item_state = result_state<std::optional<T>>;
    using item_ptr = boost::intrusive_ptr<item_state>;

    stream_state() = default;
    stream_state(const stream_state&) = delete;
    stream_state& operator=(const stream_state&) = delete;

    /// The next value, nothing at the end. Blocks. Throws the stream's error when its turn has
    /// come, once.
    std::optional<T> next(std::optional<steady::time_point> deadline = {}) {
        std::optional<T> value;
        item_ptr pending;
        {
            std::unique_lock lock{mutex_};
            if (!pending_ && !ready_.empty()) {
                value.emplace(std::move(ready_.front()));
                ready_.pop_front();
                delivered_.fetch_add(1, std::memory_order_relaxed);
            } else {
                pending = ask();
            }
        }
        on_demand();
        if (value) return value;
        if (!pending->wait(deadline)) throw timeout_error{timeout_kind::waiting};
        forget(pending);
        return pending->take();
    }

    /// The same as a result to wait for. A former one that has not been taken is the one.
    item_ptr async_next() {
        item_ptr pending;
        {
            const std::scoped_lock lock{mutex_};
            pending = ask();
            pending_ = nullptr; // whoever awaits it takes it
        }
        on_demand();
        return pending;
    }

    /// The consumer has gone: nothing more is wanted.
    virtual void abandon() noexcept = 0;

protected:
    virtual ~stream_state() = default;

    /// On the consumer's thread, before it waits and after it took something: the time to read more
    /// input.
    virtual void on_demand() = 0;
    /// Which state is awaited for the next value: overridden by streams whose waiters can help or
    /// cancel.
    virtual item_ptr make_item() { return item_ptr{new item_state}; }

    // For producers.
    // ---------------------------------------------------------------------------------------------
    void push(T value) {
        item_ptr waiter;
        {
            const std::scoped_lock lock{mutex_};
            if (ended_) return; // came too late
            waiter = take_waiter();
            if (!waiter) {
                ready_.push_back(std::move(value));
                return;
            }
        }
        delivered_.fetch_add(1, std::memory_order_relaxed);
        try {
            waiter->emplace(std::move(value));
        } catch (...) { // by the value's own move: the consumer gets that, and no more
            {
                const std::scoped_lock lock{mutex_};
                ended_ = true;
            }
            finish_item(*waiter, std::current_exception());
            return;
        }
        waiter->complete();
    }
    /// How many values the consumer has got.
    [[nodiscard]] std::uint64_t delivered() const noexcept {
        return delivered_.load(std::memory_order_relaxed);
    }

    /// The end: nothing comes any more; `error`, if there is one, is delivered behind what is
    /// ready.
    void end(std::exception_ptr error = {}) {
        item_ptr waiter;
        {
            const std::scoped_lock lock{mutex_};
            if (std::exchange(ended_, true)) return;
            waiter = take_waiter();
            if (!waiter) {
                error_ = std::move(error);
                return;
            }
            told_ = error != nullptr;
        }
        finish_item(*waiter, std::move(error));
    }
    /// Ends it and drops what is ready; the error that was still to come, if there was one.
    std::exception_ptr discard() {
        end();
        std::deque<T> dropped; // destroyed outside the lock
        item_ptr asked_for;    // keeps the stream alive in turn
        const std::scoped_lock lock{mutex_};
        dropped.swap(ready_);
        asked_for.swap(pending_);
        return std::exchange(error_, nullptr);
    }
    /// Somebody has got its error.
    [[nodiscard]] bool told() const {
        const std::scoped_lock lock{mutex_};
        return told_;
    }

private:
    static void finish_item(item_state& item, std::exception_ptr error) {
        if (error) {
            item.set_error(std::move(error));
            item.mark_observed();
        } else {
            item.emplace(std::nullopt);
        }
        item.complete();
    }

    /// With the lock: the state that gets the next value; completed at once if there is one.
    item_ptr ask() {
        if (pending_) return pending_;
        item_ptr item;
        if (waiting_) {
            item = waiting_; // asked for before, and still to come
        } else {
            item = make_item();
            if (!ready_.empty()) {
                item->emplace(std::move(ready_.front()));
                ready_.pop_front();
                delivered_.fetch_add(1, std::memory_order_relaxed);
                item->complete();
            } else if (ended_) {
                told_ = told_ || error_ != nullptr;
                finish_item(*item, std::exchange(error_, nullptr));
            } else {
                waiting_ = item;
            }
        }
        pending_ = item;
        return item;
    }
    item_ptr take_waiter() noexcept { return std::exchange(waiting_, nullptr); }

    /// A value that was waited for in vain stays asked for; once it has come, it has been seen.
    void forget(const item_ptr& item) {
        const std::scoped_lock lock{mutex_};
        if (pending_ == item) pending_ = nullptr;
    }

    mutable std::mutex mutex_;
    std::deque<T> ready_;
    item_ptr waiting_; // gets the next value that comes
    item_ptr pending_; // what a blocking consumer waits for, also across timeouts
    std::exception_ptr error_;
    std::atomic<std::uint64_t> delivered_{0};
    bool ended_ = false;
    bool told_ = false;
};

} // namespace coproc::detail
