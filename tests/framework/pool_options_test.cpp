// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How a pool is made: worker counts, backends by name and environment, start methods, initializers,
// recycling.

#include <coproc/pool_options.hpp>

#include "pools.hpp"

#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>

namespace {

using namespace coproc_test;

int square(int x) { return x * x; }

/// Sets an environment variable for a while.
class environment {
public:
    environment(const char* name, const char* value) : name_{name} {
        if (const char* before = std::getenv(name)) before_ = before;
        ::setenv(name, value, 1);
    }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;
    ~environment() {
        if (before_)
            ::setenv(name_, before_->c_str(), 1);
        else
            ::unsetenv(name_);
    }

private:
    const char* name_;
    std::optional<std::string> before_;
};

/// Whether calls of this pool run in this process.
bool on_threads(coproc::pool& pool) {
    return pool.apply([] { return ::getpid(); }) == ::getpid();
}

thread_local std::string prepared;

void prepare(const std::string& text, int n) { prepared = text + std::to_string(n); }

std::vector<coproc::start_method> start_methods() {
    return {coproc::start_method::spawn, coproc::start_method::forkserver,
            coproc::start_method::fork};
}

} // namespace

TEST_CASE("how many workers: any integral type, absurd numbers are refused") {
    CHECK(coproc::cpu_count() >= 1);
    for (const auto* const backend : {"process", "dummy"}) {
        const environment chosen{"COPROC_BACKEND", backend};
        CHECK(coproc::pool{}.workers() == coproc::cpu_count());
        CHECK(coproc::pool{0}.workers() == coproc::cpu_count());
        CHECK(coproc::pool{short{1}}.workers() == 1);
        CHECK(coproc::pool{std::size_t{2}}.workers() == 2);
        const int n = 1;
        CHECK(coproc::pool{n}.workers() == 1);
        CHECK(coproc::pool{coproc::pool_options{.workers = 2}}.workers() == 2);
        CHECK(coproc::pool{{.workers = 1, .name = "short"}}.workers() == 1);
        CHECK_THROWS_AS(coproc::pool{-1}, std::invalid_argument);
        CHECK_THROWS_AS(coproc::pool{std::numeric_limits<long long>::min()}, std::invalid_argument);
        CHECK_THROWS_AS(coproc::pool{1'000'000}, std::invalid_argument);
        CHECK_THROWS_AS(coproc::pool{std::numeric_limits<std::uint64_t>::max()},
                        std::invalid_argument);
        CHECK_THROWS_AS(coproc::pool{(std::uint64_t{1} << 32) + 1}, std::invalid_argument);
        CHECK_THROWS_AS(coproc::pool{on(backend, 4'000'000'000U)}, std::invalid_argument);
        CHECK_THROWS_AS(coproc::dummy::pool{-1}, std::invalid_argument);
    }
}

TEST_CASE("the backend by name, by environment, by namespace") {
    {
        coproc::pool pool{1};
        CHECK_FALSE(on_threads(pool));
    }
    {
        const environment chosen{"COPROC_BACKEND", "dummy"};
        coproc::pool pool{1};
        CHECK(on_threads(pool));
        coproc::pool named{on("process", 1)};
        CHECK_FALSE(on_threads(named));
    }
    {
        const environment chosen{"COPROC_BACKEND", "process"};
        coproc::pool pool{1};
        CHECK_FALSE(on_threads(pool));
        coproc::dummy::pool threads{{.workers = 1, .backend = "process"}};
        CHECK(on_threads(threads));
    }
    {
        const environment chosen{"COPROC_BACKEND", ""};
        coproc::pool pool{1};
        CHECK_FALSE(on_threads(pool));
    }
    CHECK_THROWS_AS(coproc::pool{on("quantum", 1)}, std::invalid_argument);
    CHECK_THROWS_WITH(coproc::pool{on("quantum", 1)},
                      ContainsSubstring("quantum") && ContainsSubstring("process"));
    const environment chosen{"COPROC_BACKEND", "nonsense"};
    CHECK_THROWS_WITH(coproc::pool{1},
                      ContainsSubstring("nonsense") && ContainsSubstring("COPROC_BACKEND"));
}

TEST_CASE("every start method makes workers") {
    for (const auto method : start_methods()) {
        CAPTURE(coproc::to_string(method));
        auto options = on("process");
        options.start = method;
        coproc::pool pool{options};
        CHECK(pool.map(square, {1, 2, 3}) == std::vector<int>{1, 4, 9});
        CHECK_FALSE(on_threads(pool));
        CHECK_THROWS_AS(pool.apply([] { throw std::out_of_range{"x"}; }), std::out_of_range);
        CHECK_THROWS_AS(pool.apply([] { std::_Exit(3); }), coproc::worker_lost_error);
        CHECK(pool.apply(square, 4) == 16);
        auto nested =
            pool.apply_async([] { return coproc::pool{on("process", 1)}.apply(square, 5); });
        CHECK(nested.get(patience) == 25);
    }
}

TEST_CASE("set_start_method chooses for pools that do not") {
    CHECK(coproc::get_start_method() == coproc::start_method::spawn);
    static int in_memory = 0;
    in_memory = 17; // only a copy of this process knows
    const auto read = [] { return in_memory; };
    CHECK(coproc::pool{on("process", 1)}.apply(read) == 0);
    coproc::set_start_method(coproc::start_method::fork);
    CHECK(coproc::get_start_method() == coproc::start_method::fork);
    CHECK(coproc::pool{on("process", 1)}.apply(read) == 17);
    auto options = on("process", 1);
    options.start = coproc::start_method::spawn;
    CHECK(coproc::pool{options}.apply(read) == 0);
    coproc::set_start_method(coproc::start_method::forkserver);
    CHECK(coproc::pool{on("process", 1)}.apply(read) == 0);
    coproc::set_start_method(coproc::start_method::spawn);
    CHECK(coproc::to_string(coproc::start_method::forkserver) == "forkserver");
}

TEST_CASE("an initializer runs first in every worker") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = on(backend);
    options.initializer = coproc::job{prepare, "ready", 7};
    options.max_tasks_per_worker = 2; // also in those that come later
    coproc::pool pool{options};
    for (const auto& text :
         pool.with({.chunk_size = 1}).map([](int) { return prepared; }, std::views::iota(0, 12)))
        CHECK(text == "ready7");
}

TEST_CASE("an initializer's arguments that only move arrive in every worker") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const coproc::queue<int> began;
    auto options = on(backend, 3);
    options.initializer = coproc::job{
        [](std::unique_ptr<std::string> text, std::unique_ptr<coproc::queue<int>> q) {
            prepared = *std::exchange(text, nullptr);
            q->put(1);
        },
        std::make_unique<std::string>("only one"), std::make_unique<coproc::queue<int>>(began)};
    options.max_tasks_per_worker = 2;
    coproc::pool pool{options};
    for (const auto& text :
         pool.with({.chunk_size = 1}).map([](int) { return prepared; }, std::views::iota(0, 12)))
        CHECK(text == "only one");
    for (int i = 0; i < 6; ++i)
        CHECK(began.get(patience) == 1);
}

TEST_CASE("an initializer that throws: bounded attempts, and the first error is shown") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    captured_log log;
    auto options = on(backend, 1);
    options.initializer = coproc::job{
        [](const std::string& path) {
            int n = 0;
            for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{path})
                ++n;
            raise_sign(path + "/try" + std::to_string(n));
            throw std::runtime_error{"no licence, attempt " + std::to_string(n)};
        },
        seen.path("")};
    coproc::pool pool{options};
    auto h = pool.apply_async(square, 3);
    auto map = pool.map_async(square, {1, 2});
    auto stream = pool.imap(square, {1, 2});
    const auto error = thrown<coproc::bootstrap_error>([&] { h.get(patience); });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("no licence, attempt 0"));
    try {
        pool.apply(square, 3);
    } catch (const coproc::bootstrap_error& e) {
        CHECK(dynamic_cast<const coproc::task_failure*>(&e) != nullptr);
        CHECK_THROWS_AS(std::rethrow_if_nested(e), std::runtime_error);
    }
    CHECK_THROWS_AS(map.get(patience), coproc::bootstrap_error);
    CHECK_THROWS_AS(stream.next(patience), coproc::bootstrap_error);
    CHECK_THROWS_AS(pool.apply(square, 3), coproc::bootstrap_error); // later ones too
    CHECK(seen.count("try") <= 20);
    const auto tries = seen.count("try");
    pool.close();
    CHECK(pool.join(patience));
    CHECK(seen.count("try") == tries);
}

TEST_CASE("an initializer that ends the process") {
    auto options = on("process", 2);
    options.initializer = coproc::job{[] { std::_Exit(9); }};
    coproc::pool pool{options};
    const auto error = thrown<coproc::bootstrap_error>([&] { pool.apply(square, 3); });
    REQUIRE(error);
    CHECK_THAT(error->what(), ContainsSubstring("9") && ContainsSubstring("initializer"));
    CHECK_THROWS_AS(pool.map(square, {1}), coproc::bootstrap_error);
}

TEST_CASE("an initializer that fails once is tried again") {
    const auto backend = each_backend();
    CAPTURE(backend);
    signs seen;
    auto options = on(backend, 1);
    options.initializer = coproc::job{[](const std::string& path) {
                                          if (sees_sign(path)) return;
                                          raise_sign(path);
                                          throw std::runtime_error{"not yet"};
                                      },
                                      seen.path("tried")};
    coproc::pool pool{options};
    CHECK(pool.apply_async(square, 3).get(patience) == 9);
}

TEST_CASE("workers are replaced after so many tasks") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = on(backend, 1);
    options.max_tasks_per_worker = 2;
    coproc::pool pool{options};
    thread_local int served = 0;
    const auto serve = [] { return ++served; };
    for (int i = 0; i < 6; ++i)
        CHECK(pool.apply(serve) == i % 2 + 1);
    for (const int n : pool.map([](int) { return ++served; }, std::views::iota(0, 9)))
        CHECK((n == 1 || n == 2));
    CHECK(pool.stats().workers_started >= 7);
    CHECK(pool.stats().workers_lost == 0);
    CHECK(pool.stats().failed == 0);
}

TEST_CASE("the pool's name shows in its workers' names") {
    const auto backend = each_backend();
    CAPTURE(backend);
    auto options = on(backend, 1);
    options.name = "crunch";
    coproc::pool pool{options};
    const auto name = pool.apply([] {
        std::string comm;
        std::getline(std::ifstream{"/proc/thread-self/comm"}, comm);
        return comm;
    });
    CHECK_THAT(name, ContainsSubstring("crunch"));
    const auto where =
        thrown<coproc::task_failure>([&] { pool.apply([] { throw std::runtime_error{"x"}; }); });
    REQUIRE(where);
    CHECK_THAT(where->worker_name(), ContainsSubstring("crunch"));
}

TEST_CASE("callbacks run on the pool's callback_executor") {
    const auto backend = each_backend();
    CAPTURE(backend);
    asio::io_context context;
    auto options = on(backend, 1);
    options.callback_executor = context.get_executor();
    coproc::pool pool{options};
    const auto here = std::this_thread::get_id();
    int calls = 0;
    auto h = pool.apply_async(square, 3);
    h.then([&](int v) {
        calls += v;
        CHECK(std::this_thread::get_id() == here);
    });
    auto failed = pool.apply_async([] { throw std::runtime_error{"x"}; });
    failed.then([] {},
                [&](std::exception_ptr) {
                    ++calls;
                    CHECK(std::this_thread::get_id() == here);
                });
    h.wait();
    failed.wait();
    CHECK(calls == 0);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (calls != 10 && context.run_one_until(until) != 0) {}
    CHECK(calls == 10);
    signs seen;
    auto progress = pool.apply_async(
        [](const std::string& path) {
            await_sign(path);
            coproc::this_task::report_progress(1, 1);
        },
        seen.path("go"));
    progress.on_progress([&](std::uint64_t, std::uint64_t) {
        ++calls;
        CHECK(std::this_thread::get_id() == here);
    });
    raise_sign(seen.path("go"));
    progress.wait();
    context.restart();
    while (calls != 11 && context.run_one_until(until) != 0) {}
    CHECK(calls == 11);
}
