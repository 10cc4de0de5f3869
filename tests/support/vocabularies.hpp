// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of the nouns in tests/nouns have in common. Each case runs on every vocabulary
// that has its noun: TEMPLATE_TEST_CASE("...", "", MUTEX_VOCABULARIES), and TestType::mutex is the
// noun. Others who take part run in a crew: crew.apply_async(f, handles...) with a captureless f,
// so that they may be threads or processes.

#include "support/pools.hpp"

#include <coproc/coproc.hpp>

#include <boost/asio/experimental/parallel_group.hpp>

#include <cstdint>
#include <future>
#include <random>

namespace coproc_test {

/// Threads of this program.
struct on_threads {
    /// A crew{n}: n others who can be waited for at the same time.
    using crew = coproc::dummy::pool;

    using mutex = coproc::dummy::mutex;
    using recursive_mutex = coproc::dummy::recursive_mutex;
    using semaphore = coproc::dummy::semaphore;
    using bounded_semaphore = coproc::dummy::bounded_semaphore;
    using condition = coproc::dummy::condition;
    using event = coproc::dummy::event;
    using barrier = coproc::dummy::barrier;
    using latch = coproc::dummy::latch;
    template <class T>
    using queue = coproc::dummy::queue<T>;
    template <class T>
    using joinable_queue = coproc::dummy::joinable_queue<T>;
    template <class Send, class Recv = Send>
    using connection = coproc::dummy::connection<Send, Recv>;
    template <class Send, class Recv = Send>
    static auto pipe() {
        return coproc::dummy::pipe<Send, Recv>();
    }
    template <class T>
    using shared_value = coproc::dummy::shared_value<T>;
    template <class T>
    using shared_array = coproc::dummy::shared_array<T>;
    using shared_memory = coproc::dummy::shared_memory;
};

/// Worker processes.
struct on_processes {
    /// Workers of a pool.
    class crew : public coproc::pool {
    public:
        explicit crew(unsigned workers) : coproc::pool{on("process", workers)} {}
    };

    using mutex = coproc::mutex;
    using recursive_mutex = coproc::recursive_mutex;
    using semaphore = coproc::semaphore;
    using bounded_semaphore = coproc::bounded_semaphore;
    using condition = coproc::condition;
    using event = coproc::event;
    using barrier = coproc::barrier;
    using latch = coproc::latch;
    template <class T>
    using queue = coproc::queue<T>;
    template <class T>
    using joinable_queue = coproc::joinable_queue<T>;
    template <class Send, class Recv = Send>
    using connection = coproc::connection<Send, Recv>;
    template <class Send, class Recv = Send>
    static auto pipe() {
        return coproc::pipe<Send, Recv>();
    }
    template <class T>
    using shared_value = coproc::shared_value<T>;
    template <class T>
    using shared_array = coproc::shared_array<T>;
    using shared_memory = coproc::shared_memory;
};

// Where each noun is tested.
#define MUTEX_VOCABULARIES on_threads, on_processes
#define RECURSIVE_MUTEX_VOCABULARIES on_threads, on_processes
#define SEMAPHORE_VOCABULARIES on_threads, on_processes
#define CONDITION_VOCABULARIES on_threads, on_processes
#define EVENT_VOCABULARIES on_threads, on_processes
#define BARRIER_VOCABULARIES on_threads, on_processes
#define LATCH_VOCABULARIES on_threads, on_processes
#define QUEUE_VOCABULARIES on_threads, on_processes
#define JOINABLE_QUEUE_VOCABULARIES on_threads, on_processes
#define PIPE_VOCABULARIES on_threads, on_processes
#define SHARED_VALUE_VOCABULARIES on_threads, on_processes
#define SHARED_ARRAY_VOCABULARIES on_threads, on_processes
#define SHARED_MEMORY_VOCABULARIES on_threads, on_processes

/// An event loop that a case can leave: when its handlers have run, other threads may still be
/// about to let go of it.
class event_loop : public asio::io_context {
public:
    event_loop() = default;
    ~event_loop() {
        restart();
        run_for(patience);
    }
};

/// An asynchronous operation, to be looked at: `m.async_lock(w.token())`. Its handler runs when the
/// test says so, in poll() or get().
template <class R = void>
class watched {
    using value_type = std::conditional_t<std::is_void_v<R>, char, R>;

public:
    explicit watched(asio::io_context& context) : context_{context} {}
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;

    auto token() {
        return asio::bind_cancellation_slot(signal_.slot(),
                                            asio::bind_executor(context_, handler{this}));
    }
    void cancel() { signal_.emit(asio::cancellation_type::terminal); }
    /// Whether it has completed, once the handlers have run that can.
    bool done() {
        context_.restart();
        context_.poll();
        return done_;
    }
    /// Waits for it; what it completed with.
    R get() {
        const auto until = std::chrono::steady_clock::now() + patience;
        context_.restart();
        while (!done_ && context_.run_one_until(until) != 0) {}
        if (!done_) throw std::runtime_error{"the operation did not complete"};
        if (error_) std::rethrow_exception(error_);
        if constexpr (!std::is_void_v<R>) return std::move(value_);
    }

private:
    struct handler {
        watched* to;
        void operator()(std::exception_ptr e) const {
            to->error_ = std::move(e);
            to->done_ = true;
        }
        void operator()(std::exception_ptr e, value_type value) const {
            to->value_ = std::move(value);
            (*this)(std::move(e));
        }
    };

    asio::io_context& context_;
    asio::cancellation_signal signal_;
    std::exception_ptr error_;
    value_type value_{};
    bool done_ = false;
};

/// Awaits an operation beside a timer, and cancels whichever is later. Empty when the operation was
/// cancelled: it must then have had no effect.
template <class R, class Operation>
asio::awaitable<std::optional<R>> within(std::chrono::nanoseconds time, Operation operation) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor, time};
    // A group is not thread-safe, and an operation without an executor completes on any thread.
    auto group = asio::experimental::make_parallel_group(
        asio::bind_executor(executor, std::move(operation)), timer.async_wait(asio::deferred));
    auto done = co_await group.async_wait(asio::experimental::wait_for_one{}, asio::use_awaitable);
    if (std::get<1>(done)) {
        try {
            std::rethrow_exception(std::get<1>(done));
        } catch (const coproc::cancelled_error&) {
            co_return std::nullopt;
        }
    }
    co_return std::move(std::get<2>(done));
}

/// What others return, within `patience`.
template <class R>
R result_of(coproc::async_result<R>& other) {
    return other.get(patience);
}
template <class R>
void all_end(std::vector<coproc::async_result<R>>& others) {
    for (auto& other : others)
        other.get(patience);
}

/// A seed, which is shown when the case fails, and numbers made of it.
inline std::uint32_t mixed(std::uint32_t seed, std::uint32_t which) {
    std::minstd_rand numbers{seed * 7919U + which * 104'729U + 1U};
    numbers.discard(3);
    return static_cast<std::uint32_t>(numbers());
}

} // namespace coproc_test
