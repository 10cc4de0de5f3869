// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The thread of the callbacks, which looks for the replies that lead to them: that it does, and
// that nobody depends on it.

#include "pool_faults.hpp"
#include "reactor_stopped.hpp"

#include <coproc/detail/known_cpu_count.hpp>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <sys/wait.h>
#include <thread>
#include <vector>

using namespace coproc_test;

namespace {

int increment(int x) { return x + 1; }
int die_at_times(int x) {
    if (x % 500 == 499) ::raise(SIGKILL);
    return x + 1;
}

std::vector<int> numbers(int n) { return std::vector<int>(static_cast<std::size_t>(n), n); }

/// Calls that follow one another, each made by the callback of the one before, many at a time.
class relay {
public:
    explicit relay(coproc::pool& pool) : pool_{pool} {
        for (int i = 0; i < lanes; ++i)
            next();
    }
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;
    ~relay() {
        stop_ = true;
        std::unique_lock lock{mutex_};
        ended_.wait(lock, [&] { return running_ == 0; });
    }

    [[nodiscard]] int called() const { return called_; }

private:
    static constexpr int lanes = 200;

    void next() {
        pool_.apply_async(increment, 1).then([this](const int&) {
            ++called_;
            if (!stop_) return next();
            const std::scoped_lock lock{mutex_};
            if (--running_ == 0) ended_.notify_all();
        });
    }

    coproc::pool& pool_;
    std::atomic<bool> stop_{false};
    std::atomic<int> called_{0};
    std::mutex mutex_;
    std::condition_variable ended_;
    int running_ = lanes;
};

/// In a pool, and with the callbacks' thread, in the habit of many short calls and callbacks.
void warm_up(coproc::pool& pool) {
    const relay running{pool};
    REQUIRE(eventually([&] { return running.called() > 5000; }));
}

} // namespace

TEST_CASE("callbacks: their thread takes the replies that lead to them, without the reactor") {
    coproc::pool pool{{.workers = 2}};
    const relay running{pool};
    const auto goes_on = [&] {
        const reactor_stopped nobody_else;
        const int before = running.called();
        std::this_thread::sleep_for(5ms);
        return running.called() > before + (sanitized ? 250 : 1000);
    };
    if (coproc::detail::single_cpu()) return; // nobody looks there
    CHECK(eventually(goes_on));
}

TEST_CASE("callbacks: one that takes its time holds up nobody else") {
    coproc::pool pool{{.workers = 2}};
    for (int round = 0; round < 5; ++round) {
        warm_up(pool);
        std::promise<void> go_on;
        std::atomic<int> called = 0;
        std::vector<std::future<int>> told; // whoever waits for such a one does not look by itself
        constexpr int calls = 2000;
        for (int i = 0; i < calls; ++i) {
            auto result = pool.apply_async(increment, i);
            if (i % 2 == 0)
                result.then([&, blocks = i == calls / 2](const int&) {
                    if (blocks) go_on.get_future().wait();
                    ++called;
                });
            else
                told.push_back(result.future());
        }
        int right = 0;
        for (int i = 0; i < calls / 2; ++i) {
            auto& t = told[static_cast<std::size_t>(i)];
            REQUIRE(t.wait_for(patience) == std::future_status::ready);
            right += t.get() == 2 * i + 2 ? 1 : 0;
        }
        CHECK(right == calls / 2);
        CHECK(called < calls / 2);
        // Nor does what is submitted meanwhile wait for it.
        auto last = pool.apply_async(increment, 1).future();
        CHECK(last.wait_for(patience) == std::future_status::ready);
        go_on.set_value();
        CHECK(eventually([&] { return called == calls / 2; }));
    }
}

TEST_CASE("callbacks: one may wait for other results, and for the end of a pool") {
    coproc::pool pool{{.workers = 2}};
    std::atomic<int> right = 0;
    for (int round = 0; round < 5; ++round) {
        warm_up(pool);
        std::atomic<int> called = 0;
        for (int i = 0; i < 1000; ++i)
            pool.apply_async(increment, i).then([&, i](const int&) {
                if (i % 100 == 50) {
                    right += pool.apply_async(increment, i).get() == i + 1 ? 1 : 0;
                    right += pool.apply(increment, i) == i + 1 ? 1 : 0;
                }
                if (i == 500) {
                    coproc::pool other{{.workers = 1}};
                    auto result = other.apply_async(increment, i);
                    other.close();
                    other.join();
                    right += result.ready() ? 1 : 0;
                }
                ++called;
            });
        CHECK(eventually([&] { return called == 1000; }));
    }
    CHECK(right == 5 * 21);
}

TEST_CASE("callbacks: workers that are killed while their replies are left to that thread") {
    std::atomic<int> values = 0;
    std::atomic<int> lost = 0;
    {
        coproc::pool pool{{.workers = 2}};
        warm_up(pool);
        for (int i = 0; i < 3000; ++i)
            pool.apply_async(die_at_times, i)
                .then([&](const int&) { ++values; },
                      [&](const std::exception& e) {
                          if (dynamic_cast<const coproc::worker_lost_error*>(&e)) ++lost;
                      });
        CHECK(eventually([&] { return values + lost == 3000; }));
        CHECK(lost == 6);
        warm_up(pool);
        pool.terminate();
        pool.join();
    }
    CHECK(values == 2994);
}

TEST_CASE("callbacks: large replies among those that are left to that thread") {
    coproc::pool pool{{.workers = 2}};
    std::atomic<int> right = 0;
    for (int round = 0; round < 3; ++round) {
        warm_up(pool);
        for (int i = 0; i < 1000; ++i) {
            const int n = i % 100 == 50 ? 50'000 : 1;
            pool.apply_async(numbers, n).then([&, n](const std::vector<int>& got) {
                right += got == numbers(n) ? 1 : 0;
            });
        }
    }
    CHECK(eventually([&] { return right == 3000; }));
}

TEST_CASE("callbacks: pools that go while their replies are left to that thread") {
    for (int round = 0; round < 10; ++round) {
        const auto called = std::make_shared<std::atomic<int>>(0);
        coproc::pool pool{{.workers = 2}};
        warm_up(pool);
        for (int i = 0; i < 500; ++i)
            pool.apply_async(increment, i).then([called](const int&) { ++*called; });
        if (round % 2 == 0) {
            pool.close();
            pool.join();
            CHECK(eventually([&] { return *called == 500; }));
        }
    }
}

TEST_CASE("callbacks: one that forks while replies are left to its thread") {
    coproc::pool pool{{.workers = 2}};
    std::atomic<int> called = 0;
    std::atomic<int> well = 0;
    for (int round = 0; round < 3; ++round) {
        warm_up(pool);
        for (int i = 0; i < 1000; ++i)
            pool.apply_async(increment, i).then([&, i](const int&) {
                ++called;
                if (i != 500) return;
                const pid_t child = ::fork();
                if (child == 0) ::_exit(0);
                int status = -1;
                ::waitpid(child, &status, 0);
                well += status == 0 ? 1 : 0;
            });
    }
    CHECK(eventually([&] { return called == 3000; }));
    CHECK(well == 3);
}
