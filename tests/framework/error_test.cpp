// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/error.hpp>

#include "support/catch.hpp"

#include <csignal>
#include <type_traits>

using namespace coproc;

namespace {

detail::failure_info somewhere() {
    return {.index = 3,
            .worker_pid = 4711,
            .worker_name = "pool-2",
            .label = "resize",
            .backtrace = detail::backtrace_data{std::string{"#0 f at a.cpp:1\n"}}};
}

template <class E>
inline constexpr bool is_exception_type =
    std::is_nothrow_copy_constructible_v<E> && std::is_base_of_v<error, E> &&
    std::is_base_of_v<std::runtime_error, E>;

} // namespace

static_assert(is_exception_type<timeout_error> && is_exception_type<cancelled_error> &&
              is_exception_type<worker_lost_error>);
static_assert(is_exception_type<remote_error> && is_exception_type<pool_closed_error> &&
              is_exception_type<bootstrap_error>);
static_assert(is_exception_type<serialization_error> && is_exception_type<queue_empty_error> &&
              is_exception_type<queue_full_error>);
static_assert(is_exception_type<queue_closed_error> && is_exception_type<broken_barrier_error> &&
              is_exception_type<owner_died_error>);
static_assert(is_exception_type<end_of_stream_error> && is_exception_type<authentication_error>);
static_assert(!std::is_base_of_v<std::exception, task_failure>);

TEST_CASE("error: a task's timeout is caught by every name it has") {
    const detail::failed<timeout_error> e{timeout_error{timeout_kind::running}, somewhere()};
    const auto caught_as = []<class T>(const auto& x, std::type_identity<T>) {
        try {
            throw x;
        } catch (const T&) {
            return true;
        } catch (...) {
            return false;
        }
    };
    CHECK(caught_as(e, std::type_identity<timeout_error>{}));
    CHECK(caught_as(e, std::type_identity<error>{}));
    CHECK(caught_as(e, std::type_identity<std::runtime_error>{}));
    CHECK(caught_as(e, std::type_identity<std::exception>{}));
    CHECK(caught_as(e, std::type_identity<task_failure>{}));
    const worker_lost_error lost{somewhere(), -SIGSEGV};
    CHECK(caught_as(lost, std::type_identity<std::exception>{}));
    CHECK(caught_as(lost, std::type_identity<task_failure>{}));
}

TEST_CASE("error: a timeout says which time ran out") {
    CHECK(timeout_error{}.kind() == timeout_error::waiting);
    CHECK(timeout_error{timeout_error::queued}.kind() == timeout_kind::queued);
    CHECK(timeout_error{timeout_kind::running}.what() ==
          std::string{"coproc: the task was stopped, it ran past its timeout"});
}

TEST_CASE("error: a lost worker says how it ended") {
    const worker_lost_error killed{somewhere(), -SIGSEGV};
    CHECK(killed.pid() == 4711);
    CHECK(killed.exit_code() == -SIGSEGV);
    CHECK(killed.signal_name() == "SIGSEGV");
    CHECK(killed.label() == "resize");
    CHECK(killed.index() == 3);
    CHECK(killed.backtrace() == "#0 f at a.cpp:1\n");
    CHECK_THAT(killed.what(), ContainsSubstring("SIGSEGV") && ContainsSubstring("4711") &&
                                  ContainsSubstring("resize"));

    const worker_lost_error left{somewhere(), 3};
    CHECK(left.exit_code() == 3);
    CHECK(left.signal_name().empty());
    CHECK_THAT(left.what(), ContainsSubstring("exited with code 3"));
}

TEST_CASE("error: format_exception reads like a remote traceback") {
    const auto text = format_exception(std::make_exception_ptr(
        detail::failed<std::out_of_range>{std::out_of_range{"no such key"}, somewhere()}));
    CHECK(text == "Traceback (most recent call first) from worker \"pool-2\" (pid 4711), task "
                  "\"resize\", item 3:\n"
                  "  #0 f at a.cpp:1\n"
                  "std::out_of_range: no such key\n");
    CHECK(format_exception(std::make_exception_ptr(std::bad_alloc{})) ==
          "std::bad_alloc: std::bad_alloc\n");
    CHECK(format_exception(std::make_exception_ptr(42)) == "int\n");
    CHECK(format_exception(nullptr).empty());
    CHECK_THAT(format_exception(
                   std::make_exception_ptr(remote_error{"app::failure", "it broke", somewhere()})),
               EndsWith("app::failure: it broke\n"));
}

TEST_CASE("error: format_exception tells what caused an exception first") {
    std::exception_ptr outer;
    try {
        try {
            throw std::invalid_argument{"inner"};
        } catch (...) {
            std::throw_with_nested(std::runtime_error{"outer"});
        }
    } catch (...) {
        outer = std::current_exception();
    }
    CHECK(format_exception(outer) == "std::invalid_argument: inner\n"
                                     "\nThe above exception was the cause of the following one:\n\n"
                                     "std::runtime_error: outer\n");
}

TEST_CASE("error: signals have their names") {
    CHECK(detail::signal_name(SIGKILL) == "SIGKILL");
    CHECK(detail::signal_name(SIGABRT) == "SIGABRT");
    CHECK(detail::signal_name(63) == "signal 63");
}
