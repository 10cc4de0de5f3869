// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/reactor.hpp>

#include "support/catch.hpp"

#include <coproc/log.hpp>
#include <coproc/start_method.hpp>

#include <boost/asio/post.hpp>

#include <csignal>
#include <future>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace coproc::detail;

namespace {

template <class F>
auto on(boost::asio::any_io_executor executor, F f) {
    std::promise<decltype(f())> promise;
    boost::asio::post(executor, [&] { promise.set_value(f()); });
    auto future = promise.get_future();
    REQUIRE(future.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
    return future.get();
}

} // namespace

TEST_CASE("reactor: has a thread of its own without signals, callbacks have another") {
    CHECK_FALSE(on_reactor_thread());
    CHECK(on(reactor().get_executor(), [] { return on_reactor_thread(); }));
    CHECK_FALSE(on(default_callback_executor(), [] { return on_reactor_thread(); }));
    CHECK(on(reactor().get_executor(), [] {
        sigset_t blocked;
        ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
        return ::sigismember(&blocked, SIGINT) == 1 && ::sigismember(&blocked, SIGCHLD) == 1;
    }));
}

TEST_CASE("reactor: an exception goes to the log, and the thread goes on") {
    std::string logged;
    auto former =
        coproc::set_log_handler([&](const coproc::log_record& record) { logged = record.message; });
    boost::asio::post(default_callback_executor(),
                      [] { throw std::runtime_error{"from a callback"}; });
    CHECK(on(default_callback_executor(), [] { return 1; }) == 1);
    coproc::set_log_handler(std::move(former));
    CHECK_THAT(logged, ContainsSubstring("from a callback"));
}

TEST_CASE("reactor: a forked child has a new one") {
    CHECK(on(reactor().get_executor(), [] { return 1; }) == 1);
    const pid_t child = ::fork();
    if (child == 0) {
        std::promise<void> done;
        boost::asio::post(reactor(), [&] { done.set_value(); });
        ::_exit(done.get_future().wait_for(std::chrono::seconds{30}) == std::future_status::ready
                    ? 0
                    : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK(on(reactor().get_executor(), [] { return 1; }) == 1);
}

TEST_CASE("start_method: is remembered and has a name") {
    CHECK(coproc::get_start_method() == coproc::start_method::spawn);
    coproc::set_start_method(coproc::start_method::fork);
    CHECK(coproc::get_start_method() == coproc::start_method::fork);
    coproc::set_start_method(coproc::start_method::spawn);
    CHECK(to_string(coproc::start_method::forkserver) == "forkserver");
}
