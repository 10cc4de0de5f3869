// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program that ends while its pool lives and works.
//     exits return|exit|static|late|quick|_exit|abort|throw|leak|thread process|dummy

#include <coproc/coproc.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace {

void say_pid() {
    std::printf("pid %d\n", static_cast<int>(::getpid()));
    std::fflush(stdout);
}

void work(int /*unused*/) {
    const auto stop = coproc::this_task::stop_token();
    while (!stop.stop_requested())
        ::usleep(200);
}

std::unique_ptr<coproc::pool> at_the_end; // destroyed when static objects are
coproc::pool* volatile forgotten;         // never, but a leak detector has nothing to complain of

/// Uses the pool when the thread's own objects are gone.
struct late_user {
    bool wanted = false;
    late_user() = default;
    late_user(const late_user&) = delete;
    late_user& operator=(const late_user&) = delete;
    ~late_user() {
        if (!wanted) return;
        at_the_end->with({.priority = 1}).apply_async(&say_pid).get();
        std::printf("late\n");
        std::fflush(stdout);
    }
} late;

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc < 3) return 2;
    const std::string_view mode = argv[1];
    coproc::pool_options options;
    options.workers = 2;
    options.backend = argv[2];
    options.initializer = coproc::job{&say_pid};
    auto pool = std::make_unique<coproc::pool>(options);
    while (pool->stats().idle != 2) // both have said so
        std::this_thread::yield();
    if (mode == "late") {
        boost::asio::io_context io;
        boost::asio::co_spawn(io, pool->apply_async(&say_pid).async_get(boost::asio::use_awaitable),
                              boost::asio::detached);
        io.run();
    }
    auto running = pool->map_async(&work, {1, 2, 3, 4});
    std::string line(1, '\n');
    while (pool->stats().running < 2)
        std::this_thread::yield();
    std::printf("running\n");
    std::fflush(stdout);

    if (mode == "static") {
        at_the_end = std::move(pool);
        return 7;
    }
    if (mode == "late") {
        running.cancel();
        at_the_end = std::move(pool);
        late.wanted = true;
        return 7;
    }
    if (mode == "leak") {
        forgotten = pool.release();
        return 7;
    }
    if (mode == "exit") std::exit(7);
    if (mode == "quick") std::quick_exit(7);
    if (mode == "_exit") ::_exit(7);
    if (mode == "abort") std::abort();
    if (mode == "throw") throw std::runtime_error{"nobody catches this"};
    if (mode == "thread") {
        std::thread{[&] { running.wait(); }}.detach(); // somebody still waits
        std::exit(7);
    }
    return 7;
}
