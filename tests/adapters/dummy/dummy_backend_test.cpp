// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <dummy_backend.hpp>

#include "support/catch.hpp"

#include <coproc/error.hpp>
#include <coproc/log.hpp>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

namespace {

using namespace std::chrono_literals;
using namespace coproc::detail;
using coproc::pool_options;
using coproc::task_options;
using coproc::this_task::stop_token;

constexpr auto patience = 30s; // generous: only a hang is a failure

/// A call, or a map of `items`, that runs `body` for each of them.
class fake_work final : public result_state<std::uint64_t>, public work {
public:
    using body_function = std::function<std::uint64_t(std::uint64_t)>;

    fake_work(const backend_ptr& pool, const task_options& options, std::uint64_t items,
              bool is_map, body_function body, bool more_to_come = false)
        : work{*this, pool, work_settings{options, pool->defaults()}, items, more_to_come},
          is_map_{is_map},
          body_{std::move(body)} {}

    bool cancel() noexcept override { return pool()->cancel(*this); }
    void help() noexcept override { pool()->help(*this); }

    chunk_outcome run(const chunk& c, item_observer& observer) noexcept override {
        chunk_outcome outcome;
        for (std::uint32_t i = 0; i < c.count && observer.begin_item(i); ++i) {
            try {
                sum_ += body_(c.first + i);
            } catch (...) {
                outcome.error = std::current_exception();
                break;
            }
            ++outcome.ok;
        }
        return outcome;
    }
    invoker remote() const noexcept override { return nullptr; }
    void size(const chunk&, sizer&) const override {}
    void encode(const chunk&, writer&) const override {}
    chunk_outcome accept(const chunk&, reader&, const origin&) noexcept override { return {}; }
    void fail(std::uint64_t index, std::exception_ptr error) noexcept override {
        if (failed_at_ && *failed_at_ <= index) return;
        failed_at_ = index;
        failure_ = std::move(error);
    }
    void finish() noexcept override {
        if (failure_)
            set_error(failure_);
        else
            emplace(sum_.load());
        complete();
    }
    bool many() const noexcept override { return is_map_; }
    std::thread::id consumer() const noexcept override { return consumer_; }

    std::thread::id consumer_{};

private:
    bool is_map_;
    body_function body_;
    std::atomic<std::uint64_t> sum_{0};
    std::optional<std::uint64_t> failed_at_;
    std::exception_ptr failure_;
};

/// Closes what it made, and waits for its end.
class test_pool {
public:
    explicit test_pool(pool_options options) : backend_{make_dummy_backend(options)} {}
    explicit test_pool(unsigned workers) : test_pool{pool_options{.workers = workers}} {}
    test_pool(const test_pool&) = delete;
    test_pool& operator=(const test_pool&) = delete;
    ~test_pool() {
        backend_->terminate();
        join();
    }

    boost::intrusive_ptr<fake_work> call(std::function<std::uint64_t()> body,
                                         const task_options& options = {}) {
        return submit(options, 1, false,
                      [body = std::move(body)](std::uint64_t) { return body(); });
    }
    boost::intrusive_ptr<fake_work> map(std::uint64_t items, fake_work::body_function body,
                                        const task_options& options = {}) {
        return submit(options, items, true, std::move(body));
    }
    boost::intrusive_ptr<fake_work> stream(std::uint64_t items, fake_work::body_function body) {
        boost::intrusive_ptr<fake_work> w{
            new fake_work{backend_, {}, items, true, std::move(body), true}};
        w->consumer_ = std::this_thread::get_id();
        backend_->submit(*w);
        return w;
    }
    bool join() { return backend_->joined().wait(steady::now() + patience); }
    backend* operator->() const { return backend_.get(); }
    const backend_ptr& get() const { return backend_; }

private:
    boost::intrusive_ptr<fake_work> submit(const task_options& options, std::uint64_t items,
                                           bool is_map, fake_work::body_function body) {
        boost::intrusive_ptr<fake_work> w{
            new fake_work{backend_, options, items, is_map, std::move(body)}};
        backend_->submit(*w);
        return w;
    }

    backend_ptr backend_;
};

std::uint64_t value_of(fake_work& w) {
    if (!w.wait(steady::now() + patience)) throw std::runtime_error{"the test hangs"};
    return w.take();
}

/// Something a test waits for, with a deadline.
class gate {
public:
    void set() {
        const std::scoped_lock lock{mutex_};
        set_ = true;
        changed_.notify_all();
    }
    bool wait() {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, [this] { return set_; });
    }
    bool is_set() {
        const std::scoped_lock lock{mutex_};
        return set_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool set_ = false;
};

/// Waits, as a task does that honours its stop token.
void wait_for_stop() {
    gate stopped;
    const std::stop_callback on_stop{stop_token(), [&] { stopped.set(); }};
    stopped.wait();
}

template <class Condition>
bool eventually(Condition&& condition) {
    const auto deadline = steady::now() + patience;
    while (!condition()) {
        if (steady::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

std::size_t threads_of_this_process() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {}));
}

/// The log of a scope.
class captured_log {
public:
    captured_log()
        : former_{coproc::set_log_handler([this](std::string_view text) {
              const std::scoped_lock lock{mutex_};
              text_ += text;
          })} {}
    captured_log(const captured_log&) = delete;
    captured_log& operator=(const captured_log&) = delete;
    ~captured_log() { coproc::set_log_handler(former_); }
    std::string text() {
        const std::scoped_lock lock{mutex_};
        return text_;
    }

private:
    std::mutex mutex_;
    std::string text_;
    coproc::log_handler former_;
};

} // namespace

TEST_CASE("threads run calls and deliver values and exceptions") {
    test_pool pool{2};
    CHECK(value_of(*pool.call([] { return 42U; })) == 42);
    const auto failing = pool.call([]() -> std::uint64_t { throw std::out_of_range{"far"}; });
    CHECK_THROWS_AS(value_of(*failing), std::out_of_range);
    std::vector<boost::intrusive_ptr<fake_work>> all;
    for (std::uint64_t i = 0; i < 5000; ++i)
        all.push_back(pool.call([i] { return i; }));
    std::uint64_t sum = 0;
    for (const auto& each : all)
        sum += value_of(*each);
    CHECK(sum == 5000 * 4999 / 2);
    CHECK(pool->stats().completed == 5001);
    CHECK(pool->stats().failed == 1);
}

TEST_CASE("threads run maps in chunks, every item once") {
    test_pool pool{3};
    constexpr std::uint64_t items = 100'000;
    const auto all = pool.map(items, [](std::uint64_t i) { return i; });
    CHECK(value_of(*all) == items * (items - 1) / 2);
    CHECK(value_of(*pool.map(0, [](std::uint64_t i) { return i; })) == 0);
    const auto failing = pool.map(1000, [](std::uint64_t i) -> std::uint64_t {
        if (i >= 300) throw i;
        return i;
    });
    try {
        value_of(*failing);
        FAIL("nothing was thrown");
    } catch (std::uint64_t index) {
        CHECK(index == 300);
    }
}

TEST_CASE("many threads submit at once to threads") {
    test_pool pool{4};
    std::atomic<std::uint64_t> sum{0};
    std::vector<std::thread> submitters;
    for (int t = 0; t < 8; ++t)
        submitters.emplace_back([&] {
            for (std::uint64_t i = 0; i < 500; ++i)
                sum += value_of(*pool.call([i] { return i; }));
        });
    for (auto& each : submitters)
        each.join();
    CHECK(sum == 8 * 500 * 499 / 2);
}

TEST_CASE("a task on a thread knows its label, its attempt and its token") {
    test_pool pool{{.workers = 1, .name = "crew"}};
    std::string label;
    std::string thread_name;
    unsigned attempt = 0;
    bool stoppable = false;
    value_of(*pool.call(
        [&] {
            label = coproc::this_task::label();
            attempt = coproc::this_task::attempt();
            stoppable = stop_token().stop_possible();
            char name[16] = {};
            pthread_getname_np(pthread_self(), name, sizeof name);
            thread_name = name;
            return 0U;
        },
        {.label = "who am I"}));
    CHECK(label == "who am I");
    CHECK(attempt == 1);
    CHECK(stoppable);
    CHECK(thread_name == "crew-1");
    CHECK(coproc::this_task::attempt() == 0);
}

TEST_CASE("a task on a thread reports its progress") {
    test_pool pool{1};
    gate go;
    gate seen;
    const auto w = pool.call([&] {
        go.wait();
        coproc::this_task::report_progress(3, 4);
        return 0U;
    });
    w->on_progress([&](std::uint64_t done, std::uint64_t total) {
        if (done == 3 && total == 4) seen.set();
    });
    go.set();
    CHECK(seen.wait());
    value_of(*w);
}

TEST_CASE("a task past its timeout fails at once while its thread finishes") {
    test_pool pool{{.workers = 1, .name = "late"}};
    gate stopped;
    gate release;
    const auto late = pool.call(
        [&] {
            wait_for_stop();
            stopped.set();
            release.wait();
            return 1U;
        },
        {.timeout = 20ms, .label = "slow"});
    try {
        value_of(*late);
        FAIL("nothing was thrown");
    } catch (const coproc::timeout_error& e) {
        CHECK(e.kind() == coproc::timeout_error::running);
        const auto* where = dynamic_cast<const coproc::task_failure*>(&e);
        REQUIRE(where != nullptr);
        CHECK(where->label() == "slow");
        CHECK(where->worker_name() == "late-1");
    }
    CHECK(stopped.wait());
    // The pool is at full strength although the thread is still in the task.
    CHECK(value_of(*pool.call([] { return 2U; })) == 2);
    release.set();
    const auto stats = pool->stats();
    CHECK(stats.timed_out == 1);
    CHECK(stats.workers_lost == 1);
    CHECK(stats.workers_started == 2);
}

TEST_CASE("a map's timeout is for each item") {
    test_pool pool{2};
    std::atomic<int> runs_of_3{0};
    const auto fine = pool.map(64,
                               [](std::uint64_t i) {
                                   std::this_thread::sleep_for(1ms);
                                   return i;
                               },
                               {.timeout = 10s, .chunk_size = 32});
    CHECK(value_of(*fine) == 64 * 63 / 2);
    gate release;
    std::atomic<int> behind{0};
    const auto late = pool.map(8,
                               [&](std::uint64_t i) {
                                   if (i == 3) ++runs_of_3;
                                   if (i == 5) release.wait();
                                   if (i > 5) ++behind;
                                   return i;
                               },
                               {.timeout = 50ms, .chunk_size = 8});
    try {
        value_of(*late);
        FAIL("nothing was thrown");
    } catch (const coproc::timeout_error& e) {
        const auto* where = dynamic_cast<const coproc::task_failure*>(&e);
        REQUIRE(where != nullptr);
        CHECK(where->index() == 5);
    }
    release.set();
    pool->terminate();
    CHECK(pool.join());
    CHECK(runs_of_3 == 1); // what was done is not done again
    CHECK(behind == 0);    // and what nobody wants is not done at all
    CHECK(pool->stats().completed == 64 + 5);
}

TEST_CASE("a task that waits too long for a thread fails") {
    test_pool pool{1};
    gate release;
    const auto busy = pool.call([&] { return release.wait() ? 1U : 0U; });
    const auto waiting = pool.call([] { return 2U; }, {.queue_timeout = 10ms});
    try {
        value_of(*waiting);
        FAIL("nothing was thrown");
    } catch (const coproc::timeout_error& e) {
        CHECK(e.kind() == coproc::timeout_error::queued);
    }
    release.set();
    CHECK(value_of(*busy) == 1);
}

TEST_CASE("cancel drops what waits for a thread and gives up the thread of what runs") {
    test_pool pool{1};
    gate running;
    gate stopped;
    const auto busy = pool.call([&] {
        running.set();
        wait_for_stop();
        stopped.set();
        return 0U;
    });
    bool ran = false;
    const auto queued = pool.call([&] {
        ran = true;
        return 0U;
    });
    REQUIRE(running.wait());
    CHECK(queued->cancel());
    CHECK_THROWS_AS(value_of(*queued), coproc::cancelled_error);
    CHECK_FALSE(queued->cancel());
    CHECK(busy->cancel());
    CHECK_THROWS_AS(value_of(*busy), coproc::cancelled_error);
    CHECK(stopped.wait());
    const auto after = pool.call([] { return 7U; });
    CHECK(value_of(*after) == 7);
    CHECK_FALSE(after->cancel());
    CHECK_FALSE(ran);
    CHECK(pool->stats().cancelled == 2);
}

TEST_CASE("cancelling races with threads that start and end tasks") {
    test_pool pool{2};
    std::atomic<std::uint64_t> runs{0};
    int cancelled = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto w = pool.call([&] { return ++runs; });
        const bool stopped = w->cancel();
        cancelled += stopped ? 1 : 0;
        if (stopped)
            CHECK_THROWS_AS(value_of(*w), coproc::cancelled_error);
        else
            value_of(*w);
    }
    CHECK(pool->stats().cancelled == static_cast<std::uint64_t>(cancelled));
    pool->close();
    CHECK(pool.join());
    CHECK(pool->stats().workers == 0);
}

TEST_CASE("an initializer runs first in every thread") {
    std::mutex mutex;
    std::set<std::thread::id> initialized;
    pool_options options{.workers = 3};
    options.initializer = local_job([&] {
        const std::scoped_lock lock{mutex};
        initialized.insert(std::this_thread::get_id());
    });
    test_pool pool{options};
    const auto all = pool.map(300, [&](std::uint64_t) -> std::uint64_t {
        const std::scoped_lock lock{mutex};
        return initialized.contains(std::this_thread::get_id()) ? 1 : 0;
    });
    CHECK(value_of(*all) == 300);
}

TEST_CASE("an initializer that throws breaks the pool of threads, with its text") {
    std::atomic<int> attempts{0};
    pool_options options{.workers = 1};
    options.initializer = local_job(
        [&] { throw std::runtime_error{"no licence, attempt " + std::to_string(++attempts)}; });
    test_pool pool{options};
    const auto w = pool.call([] { return 1U; });
    try {
        value_of(*w);
        FAIL("nothing was thrown");
    } catch (const coproc::bootstrap_error& e) {
        CHECK_THAT(e.what(), ContainsSubstring("no licence, attempt 1"));
    }
    CHECK(attempts == 5);
    CHECK_THROWS_AS(value_of(*pool.call([] { return 1U; })), coproc::bootstrap_error);
    pool->close();
    CHECK(pool.join());
}

TEST_CASE("an initializer that fails once is tried again") {
    std::atomic<int> attempts{0};
    pool_options options{.workers = 1};
    options.initializer = local_job([&] {
        if (++attempts < 3) throw std::runtime_error{"not yet"};
    });
    test_pool pool{options};
    CHECK(value_of(*pool.call([] { return 1U; })) == 1);
    CHECK(attempts == 3);
}

TEST_CASE("threads are replaced after so many tasks") {
    test_pool pool{{.workers = 1, .max_tasks_per_worker = 3}};
    std::set<std::thread::id> ids;
    std::vector<boost::intrusive_ptr<fake_work>> all;
    for (int i = 0; i < 12; ++i)
        all.push_back(pool.call([&] {
            thread_local int served = 0;
            return static_cast<unsigned>(++served);
        }));
    std::uint64_t sum = 0;
    for (const auto& each : all)
        sum += value_of(*each);
    CHECK(sum == 4 * (1 + 2 + 3));
    CHECK(value_of(*pool.map(100, [](std::uint64_t i) { return i; })) == 4950);
    CHECK(pool->stats().workers_lost == 0);
}

TEST_CASE("close lets threads finish what was submitted, then ends them") {
    const auto before = threads_of_this_process();
    test_pool pool{2};
    std::vector<boost::intrusive_ptr<fake_work>> all;
    for (std::uint64_t i = 0; i < 100; ++i)
        all.push_back(pool.call([i] { return i; }));
    pool->close();
    pool->close();
    CHECK(pool->closed());
    CHECK_THROWS_AS(pool.call([] { return 0U; }), coproc::pool_closed_error);
    CHECK(pool.join());
    for (const auto& each : all)
        CHECK(each->ready());
    CHECK(threads_of_this_process() <= before + 2); // the timer's and the callbacks' may be new
    pool->terminate();
    CHECK(pool.join());
}

TEST_CASE("terminate with 10,000 tasks queued on threads is prompt") {
    test_pool pool{2};
    std::atomic<int> honoured{0};
    std::vector<boost::intrusive_ptr<fake_work>> all;
    std::latch running{2};
    for (int i = 0; i < 10'000; ++i)
        all.push_back(pool.call([&] {
            running.count_down();
            wait_for_stop();
            ++honoured;
            return 0U;
        }));
    running.wait();
    pool->terminate();
    for (const auto& each : all)
        CHECK_THROWS_AS(value_of(*each), coproc::cancelled_error);
    CHECK(pool.join());
    CHECK(honoured == 2); // join has waited for them
    CHECK(pool->stats().cancelled == 10'000);
    pool->terminate();
    pool->close();
}

TEST_CASE("a join after terminate leaves behind what does not stop") {
    captured_log log;
    gate running;
    gate release;
    gate ended;
    {
        test_pool pool{1};
        const auto stubborn = pool.call([&] {
            running.set();
            release.wait();
            ended.set();
            return 0U;
        });
        REQUIRE(running.wait());
        const auto began = steady::now();
        pool->terminate();
        CHECK_THROWS_AS(value_of(*stubborn), coproc::cancelled_error);
        CHECK_FALSE(ended.is_set()); // at once, not when it ends
        CHECK(pool.join());
        CHECK(steady::now() - began >= 1s);
    }
    CHECK_THAT(log.text(), ContainsSubstring("1 task(s) did not stop"));
    release.set();
    CHECK(ended.wait());
}

TEST_CASE("terminate does not wait for an initializer for ever") {
    captured_log log;
    gate entered;
    gate release;
    gate ended;
    {
        pool_options options{.workers = 1};
        options.initializer = local_job([&] {
            entered.set();
            release.wait();
            ended.set();
        });
        test_pool pool{options};
        REQUIRE(entered.wait());
        pool->close();
        pool->terminate();
        CHECK(pool.join());
    }
    release.set();
    CHECK(ended.wait());
}

TEST_CASE("a task may close or terminate its own pool of threads") {
    {
        test_pool pool{2};
        CHECK(value_of(*pool.call([&] {
                  pool->close();
                  return 5U;
              })) == 5);
        CHECK(pool.join());
    }
    {
        test_pool pool{2};
        std::atomic<bool> knew{false};
        std::atomic<bool> joined{false};
        gate left;
        const auto w = pool.call([&] {
            pool->terminate();
            knew = pool->on_worker_thread();
            joined = pool.join(); // does not wait for the task that waits
            left.set();
            return 1U;
        });
        CHECK_THROWS_AS(value_of(*w), coproc::cancelled_error);
        CHECK(left.wait());
        CHECK(knew);
        CHECK(joined);
        CHECK_FALSE(pool->on_worker_thread());
    }
}

TEST_CASE("a task may hold the last reference to its backend") {
    gate ended;
    {
        auto pool = make_dummy_backend(pool_options{.workers = 1});
        boost::intrusive_ptr<fake_work> w{
            new fake_work{pool, {}, 1, false, [pool, &ended](std::uint64_t) {
                              pool->close();
                              ended.set();
                              return std::uint64_t{0};
                          }}};
        pool->submit(*w);
    }
    CHECK(ended.wait());
}

TEST_CASE("close, terminate and join from many threads at once") {
    for (int round = 0; round < 50; ++round) {
        test_pool pool{2};
        std::vector<boost::intrusive_ptr<fake_work>> all;
        for (int i = 0; i < 20; ++i)
            all.push_back(pool.call([] { return 1U; }));
        std::vector<std::thread> enders;
        for (int t = 0; t < 4; ++t)
            enders.emplace_back([&, t] {
                if (t % 2 == 0)
                    pool->terminate();
                else
                    pool->close();
                pool.join();
            });
        for (auto& each : enders)
            each.join();
        CHECK(pool.join());
        for (const auto& each : all)
            CHECK(each->wait(steady::now() + patience));
        for (const auto& each : all)
            each->mark_observed();
    }
}

TEST_CASE("a stream on threads is extended, and ended when its reader waits for the pool") {
    test_pool pool{2};
    const auto w = pool.stream(3, [](std::uint64_t i) { return i; });
    pool->extend(*w, 4, true);
    REQUIRE(eventually([&] { return pool->stats().completed == 7; }));
    CHECK_FALSE(w->ready());
    const auto other = pool.stream(1, [](std::uint64_t i) { return i; });
    pool->extend(*other, 2, false);
    CHECK(value_of(*other) == 3);
    pool->close();
    pool->abandon_streams_of(std::this_thread::get_id());
    CHECK_THROWS_AS(value_of(*w), coproc::cancelled_error);
    CHECK(pool.join());
}

TEST_CASE("hundreds of pools of threads leave nothing behind") {
    { const test_pool warm_up{1}; }
    const auto before = threads_of_this_process();
    for (int i = 0; i < 200; ++i) {
        test_pool pool{2};
        if (i % 2 == 0) CHECK(value_of(*pool.call([] { return 3U; })) == 3);
    }
    CHECK(threads_of_this_process() == before);
}
