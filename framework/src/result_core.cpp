// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/result_core.hpp>

#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/callback_source.hpp>
#include <coproc/detail/log_later.hpp>
#include <coproc/log.hpp>

#include <condition_variable>
#include <mutex>
#include <system_error>

namespace coproc::detail {

namespace {

thread_local bool must_not_wait = false;

void log_unseen(const std::exception_ptr& error) noexcept {
    const auto tell = [error] {
        log(log_kind::unobserved_error,
            "a task failed and nobody looked at its result:\n" + format_exception(error));
    };
    if (must_not_wait) {
        try {
            log_later(tell);
            return;
        } catch (const std::exception&) { // better late than never
        }
    }
    tell();
}

} // namespace

void tells_of_results(bool does) noexcept { must_not_wait = does; }

void report_unseen(const std::exception_ptr& error) noexcept {
    if (!error) return;
    try {
        std::rethrow_exception(error);
    } catch (const cancelled_error&) {
    } catch (...) {
        log_unseen(error);
    }
}

alignas(continuation) char result_core::closed_mark = 0;

/// One per result, made when a thread really sleeps on it and kept: a get that times out again and
/// again must not grow the list.
struct result_core::sleeper final : continuation {
    std::mutex mutex;
    std::condition_variable woken;
    bool done = false;

    // The notification happens under the lock: the sleeping thread may drop the result as soon as
    // it has seen `done`.
    void resume() noexcept override {
        const std::scoped_lock lock{mutex};
        done = true;
        woken.notify_all();
    }
    ~sleeper() override = default;
};

struct result_core::progress_sink {
    std::mutex mutex;
    progress_callback callback;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    bool posted = false;
};

[[gnu::hot]] result_core::~result_core() {
    if (error_ && !observed()) log_unseen(error_);
    delete sleeper_.load(std::memory_order_relaxed);
    delete progress_.load(std::memory_order_relaxed);
}

bool result_core::attach(continuation& c) noexcept {
    auto* head = waiting_.load(std::memory_order_acquire);
    do {
        if (head == closed_list()) return false;
        c.next_ = head;
    } while (!waiting_.compare_exchange_weak(head, &c, std::memory_order_acq_rel,
                                             std::memory_order_acquire));
    return true;
}

[[gnu::hot]] void result_core::complete() noexcept {
    auto* list = waiting_.load(std::memory_order_relaxed);
    // Mostly nobody waits yet. After the exchange this object may be gone at once.
    if (list == nullptr &&
        waiting_.compare_exchange_strong(list, closed_list(), std::memory_order_acq_rel,
                                         std::memory_order_relaxed))
        return;
    const core_ptr alive{this}; // a continuation may drop the last handle
    list = waiting_.exchange(closed_list(), std::memory_order_acq_rel);
    continuation* in_order =
        nullptr; // the list is last in, first out; callbacks run in the order they were attached
    while (list != nullptr) {
        auto* next = list->next_;
        list->next_ = in_order;
        in_order = list;
        list = next;
    }
    while (in_order != nullptr) {
        auto* next = in_order->next_;
        in_order->resume();
        in_order = next;
    }
}

[[gnu::hot]] bool result_core::wait(std::optional<steady::time_point> deadline) {
    if (ready()) return true;
    if (must_not_wait)
        throw std::system_error{
            std::make_error_code(std::errc::resource_deadlock_would_occur),
            "coproc: this thread tells of results, so it cannot wait for one (a log handler can "
            "start tasks, but not wait for them)"};
    help();
    if (ready()) return true;
    callback_source::rest_all();
    return sleep(deadline);
}

bool result_core::sleep(std::optional<steady::time_point> deadline) {
    auto* mine = sleeper_.load(std::memory_order_acquire);
    if (mine == nullptr) {
        auto fresh = new sleeper;
        if (sleeper_.compare_exchange_strong(mine, fresh, std::memory_order_acq_rel)) {
            mine = fresh;
            if (!attach(*fresh)) fresh->resume();
        } else {
            delete fresh; // another thread waits on the same result; `mine` is theirs now
        }
    }
    std::unique_lock lock{mine->mutex};
    const auto done = [mine] { return mine->done; };
    if (!deadline || *deadline == steady::time_point::max())
        mine->woken.wait(lock, done);
    else if (!mine->woken.wait_until(lock, *deadline, done))
        return ready();
    return true;
}

namespace {

// In the count of readers: somebody waits for them.
constexpr std::uint32_t awaited = 1U << 31U;

/// One for all: it is seldom that somebody waits.
struct readers_gone {
    std::mutex mutex;
    std::condition_variable changed;
};
readers_gone& all_gone() {
    static auto& instance = *new readers_gone;
    return instance;
}

} // namespace

bool result_core::await_readers(reader_count& readers, std::optional<steady::time_point> until) {
    const auto none = [&] { return (readers.load(std::memory_order_acquire) & ~awaited) == 0; };
    if (none()) return true;
    auto& gone = all_gone();
    std::unique_lock lock{gone.mutex};
    readers.fetch_or(awaited, std::memory_order_acq_rel);
    if (until && *until != steady::time_point::max())
        return gone.changed.wait_until(lock, *until, none);
    gone.changed.wait(lock, none);
    return true;
}

// The count may be gone as soon as it is down.
void result_core::reader_gone(reader_count& readers) noexcept {
    if (readers.fetch_sub(1, std::memory_order_acq_rel) != (awaited | 1U)) return;
    auto& gone = all_gone();
    const std::scoped_lock lock{gone.mutex};
    gone.changed.notify_all();
}

void result_core::on_progress(progress_callback callback) {
    auto* sink = progress_.load(std::memory_order_acquire);
    if (sink == nullptr) {
        auto* fresh = new progress_sink;
        if (progress_.compare_exchange_strong(sink, fresh, std::memory_order_acq_rel))
            sink = fresh;
        else
            delete fresh;
    }
    const std::scoped_lock lock{sink->mutex};
    sink->callback = std::move(callback);
}

void result_core::report_progress(std::uint64_t done, std::uint64_t total) noexcept {
    auto* sink = progress_.load(std::memory_order_acquire);
    if (sink == nullptr) return;
    {
        const std::scoped_lock lock{sink->mutex};
        sink->done = done;
        sink->total = total;
        if (std::exchange(sink->posted, true))
            return; // a callback that is behind sees the newest figures
    }
    post_callback(callback_executor(), [self = core_ptr{this}, sink] {
        progress_callback callback;
        std::uint64_t d = 0;
        std::uint64_t t = 0;
        {
            const std::scoped_lock lock{sink->mutex};
            sink->posted = false;
            callback = sink->callback;
            d = sink->done;
            t = sink->total;
        }
        if (callback) run_callback(*self, [&] { callback(d, t); });
    });
}

} // namespace coproc::detail
