// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The life and death of single workers, by every start method.

#include "support/catch.hpp"
#include "worker_under_test.hpp"

#include <coproc/error.hpp>
#include <coproc/this_task.hpp>
#include <os/signals.hpp>
#include <os/system_call.hpp>
#include <src/forkserver.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace coproc_test;

namespace {

const auto every_method = [] {
    return Catch::Generators::values(
        {start_method::spawn, start_method::forkserver, start_method::fork});
};

// --- what the workers are asked to do

void twice(call_context& call) { call.reply(sizeof(int), 0).raw(2 * call.in().raw<int>()); }
void own_pid(call_context& call) { call.reply(sizeof(int), 0).raw(static_cast<int>(::getpid())); }
void throws(call_context&) { throw std::out_of_range{"beyond"}; }
void throws_after_reply(call_context& call) {
    call.reply(4, 0);
    throw std::out_of_range{"beyond"};
}
void exits(call_context& call) { std::exit(call.in().raw<int>()); }
void leaves_at_once(call_context&) { std::_Exit(0); }
void label(call_context& call) { reply(call, coproc::this_task::label()); }

[[gnu::noinline]] void die(int signal) {
    switch (signal) {
    case SIGSEGV:
        *static_cast<volatile int*>(nullptr) = 1;
        break;
    case SIGABRT:
        std::abort();
    case SIGILL:
        __builtin_trap();
    default:
        std::raise(signal);
    }
    asm volatile("");
}
void dies(call_context& call) {
    call.begin_item(3);
    die(call.in().raw<int>());
}

[[gnu::noinline]] int recurse(int depth) {
    volatile char room[4096];
    room[0] = static_cast<char>(depth);
    return depth == -1 ? 0 : recurse(depth + 1) + room[0];
}
void overflows_its_stack(call_context& call) {
    call.reply(4, 0).raw(recurse(call.in().raw<int>()));
}

volatile bool busy = true;
void computes_for_ever(call_context&) {
    sigset_t all; // whatever a task does to signals
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    while (busy) {}
}

void starts_a_grandchild(call_context& call) {
    const pid_t child = ::fork();
    if (child == 0)
        for (;;)
            ::pause();
    call.reply(sizeof(int), 0).raw(static_cast<int>(child));
}

void environment(call_context& call) {
    const char* const handover = std::getenv("COPROC_WORKER");
    const char* const threads = std::getenv("OMP_NUM_THREADS");
    reply(call, std::string{handover != nullptr ? handover : "-"} + " " +
                    (threads != nullptr ? threads : "-"));
}

void descriptors(call_context& call) {
    std::string text;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        text += std::filesystem::read_symlink(entry.path(), gone).string() + "\n";
    }
    reply(call, text);
}

void echo(call_context& call) {
    const std::size_t size = call.in().left();
    const std::byte* const bytes = call.in().bytes(size);
    call.reply(size, 0).bytes(bytes, size);
}

void reports_progress(call_context& call) {
    for (std::uint64_t i = 1; i <= 100'000; ++i)
        coproc::this_task::report_progress(i, 100'000);
    call.reply(4, 0).raw(1);
}

void names(call_context& call) {
    std::ifstream comm{"/proc/self/comm"};
    std::ifstream line{"/proc/self/cmdline"};
    std::stringstream text;
    text << comm.rdbuf() << line.rdbuf();
    reply(call, text.str());
}

void signals(call_context& call) {
    sigset_t blocked;
    ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
    struct sigaction usr1{};
    ::sigaction(SIGUSR1, nullptr, &usr1);
    const bool standard = usr1.sa_handler == SIG_DFL && ::sigismember(&blocked, SIGUSR1) == 0 &&
                          ::getpgrp() == ::getpid();
    call.reply(4, 0).raw(standard ? 1 : 0);
}

/// A worker with workers of its own, one of them busy; tells their pids.
void starts_workers(call_context& call) {
    const auto method = static_cast<start_method>(call.in().raw<int>());
    auto* const idle = new worker_under_test{method, nullptr, "idle"};
    auto* const at_work = new worker_under_test{method, nullptr, "at-work"};
    idle->greet();
    at_work->greet();
    at_work->send(computes_for_ever);
    while (!at_work->process->channel().running())
        std::this_thread::yield();
    call.reply(2 * sizeof(int), 0).raw(std::array{idle->process->pid(), at_work->process->pid()});
}

// --- helpers

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
        ++count;
    return count;
}

/// Those of this thread, zombies too.
std::vector<pid_t> children() {
    std::vector<pid_t> result;
    std::ifstream file{"/proc/thread-self/children"};
    for (pid_t pid = 0; file >> pid;)
        result.push_back(pid);
    return result;
}

bool ends_soon(pid_t pid) {
    try {
        return os::wait_until_ended(os::open_pidfd(pid).get(), patience);
    } catch (const std::system_error&) {
        return true; // gone already
    }
}

struct pause_variable { // makes workers behave as a program without the runtime line, see below
    explicit pause_variable(const char* value) { ::setenv("COPROC_TEST_BEFORE_MAIN", value, 1); }
    ~pause_variable() { ::unsetenv("COPROC_TEST_BEFORE_MAIN"); }
};

/// What a program without coproc::runtime does: here before main, and so before the runtime that
/// the tests have.
const bool before_main = [] {
    const char* const what = std::getenv("COPROC_TEST_BEFORE_MAIN");
    if (what == nullptr || std::getenv("COPROC_WORKER") == nullptr) return false;
    if (std::string{"pool"} == what) refuse_if_worker_without_runtime();
    if (std::string{"end"} == what) std::_Exit(5);
    return true;
}();

std::string failure_of(worker_under_test& worker) {
    try {
        worker.greet();
    } catch (const coproc::bootstrap_error& e) {
        return e.what();
    }
    return "no failure";
}

} // namespace

TEST_CASE("worker: starts, works and retires by every method") {
    const auto method = GENERATE(every_method());
    CAPTURE(to_string(method));
    worker_under_test worker{method};
    worker.greet();
    CHECK(worker.call(twice, 21) == 42);
    CHECK(worker.call(own_pid) == worker.process->pid());
    CHECK_FALSE(worker.process->try_reap());
    worker.process->channel().send(message_kind::retire);
    CHECK(worker.exit_code() == 0);
    CHECK(worker.process->try_reap() == 0);
    CHECK_FALSE(worker.process->crash());
}

TEST_CASE("worker: exit codes are Python's") {
    const auto method = GENERATE(every_method());
    worker_under_test worker{method};
    worker.greet();
    worker.call(twice, 1);
    SECTION("exit") {
        // In a copy of a program with threads a leak checker misses what the threads held.
        if (os::sanitizer_present() && method == start_method::fork) return;
        std::vector<std::byte> seven(4);
        seven[0] = std::byte{7};
        worker.send(exits, 1, seven);
        CHECK(worker.next() == nullptr);
        CHECK(worker.exit_code() == 7);
    }
    SECTION("kill") {
        worker.process->kill();
        CHECK(worker.exit_code() == -SIGKILL);
        worker.process->kill(); // nothing any more
    }
}

TEST_CASE("worker: a signal leaves its number, what ran, and frames") {
    const auto method = GENERATE(every_method());
    const int signal = GENERATE(SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGKILL);
    CAPTURE(to_string(method), signal);
    worker_under_test worker{method};
    worker.greet();
    std::vector<std::byte> number(4);
    number[0] = static_cast<std::byte>(signal);
    worker.send(dies, 77, number, call_flag::timed);
    CHECK(worker.next() == nullptr);
    if (os::sanitizer_present()) return; // which turns crashes into exits of its own
    CHECK(worker.exit_code() == -signal);
    const auto running = worker.process->channel().running();
    REQUIRE(running);
    CHECK(running->id == 77);
    CHECK(running->item == 3);
    CHECK(running->started_ns != 0);
    const auto crash = worker.process->crash();
    if (signal == SIGTERM || signal == SIGKILL) {
        CHECK_FALSE(crash);
        return;
    }
    REQUIRE(crash);
    CHECK(crash->signal == signal);
    CHECK(crash->frames.size() >= 3);
    // "" is the program itself
    CHECK(std::any_of(crash->frames.begin(), crash->frames.end(),
                      [&](const auto& f) { return f.module.empty(); }));
}

TEST_CASE("worker: a stack overflow is told too") {
    if (os::sanitizer_present()) return;
    worker_under_test worker{start_method::spawn};
    worker.greet();
    worker.send(overflows_its_stack, 1, std::vector<std::byte>(4));
    CHECK(worker.next() == nullptr);
    CHECK(worker.exit_code() == -SIGSEGV);
    const auto crash = worker.process->crash();
    REQUIRE(crash);
    CHECK(crash->frames.size() > 30);
}

TEST_CASE("worker: an exception is a reply like any other") {
    worker_under_test worker{start_method::spawn};
    worker.greet();
    for (const invoker function : {throws, throws_after_reply}) {
        worker.send(function, 5);
        incoming* const message = worker.next();
        REQUIRE(message != nullptr);
        CHECK(message->kind == message_kind::failed);
        CHECK(message->id == 5);
        worker.process->channel().pop();
        CHECK(worker.call(twice, 4) == 8);
    }
}

TEST_CASE("worker: knows its task") {
    worker_under_test worker{start_method::spawn};
    worker.greet();
    worker.send(label, 1, {}, call_flag::want_rss, "spring cleaning");
    incoming* const message = worker.next();
    REQUIRE(message != nullptr);
    CHECK(message->resident_bytes > 100'000);
    CHECK(message->duration_ns > 0);
    CHECK(worker.take<std::string>() == "spring cleaning");
}

TEST_CASE("worker: progress is merged, the last one comes before the reply") {
    worker_under_test worker{start_method::spawn};
    worker.greet();
    worker.send(reports_progress);
    std::uint64_t reports = 0;
    progress_report latest;
    for (;;) {
        incoming* const message = worker.next();
        REQUIRE(message != nullptr);
        if (message->kind == message_kind::reply) break;
        REQUIRE(message->kind == message_kind::progress);
        latest = message->payload().raw<progress_report>();
        ++reports;
        worker.process->channel().pop();
    }
    CHECK(latest.done == 100'000);
    CHECK(reports >= 2);
    CHECK(reports < 100'000);
}

TEST_CASE("worker: has the name, the signals and the descriptors of its own") {
    const auto method = GENERATE(every_method());
    CAPTURE(to_string(method));
    const os::unique_fd careless{::open("/dev/zero", O_RDONLY)}; // not CLOEXEC
    std::signal(SIGUSR1, SIG_IGN);
    worker_under_test neighbour{method, nullptr, "neighbour"};
    worker_under_test worker{method, nullptr, "crunch-1"};
    std::signal(SIGUSR1, SIG_DFL);
    worker.greet();
    CHECK_THAT(worker.call<std::string>(names), StartsWith("crunch-1\n"));
    if (method !=
        start_method::fork) // where there is only the room that the program's own arguments took
        CHECK_THAT(worker.call<std::string>(names), ContainsSubstring(": crunch-1"));
    CHECK(worker.call(signals) == 1);

    std::istringstream open{worker.call<std::string>(descriptors)};
    int memory = 0, sockets = 0, events = 0, zeros = 0, total = 0;
    for (std::string target; std::getline(open, target); ++total) {
        if (target.find("coproc-channel") != std::string::npos) ++memory;
        if (target.starts_with("socket:")) ++sockets;
        if (target.find("eventfd") != std::string::npos) ++events;
        if (target == "/dev/zero") ++zeros;
    }
    CHECK(memory == 1);
    CHECK(sockets == 1);
    if (method != start_method::fork) { // a copy has what the program has
        CHECK(events == 1);
        CHECK(zeros == 0);
        CHECK(total <= 3 + 4 + 1); // stdio, the channel and the parent, the directory that is read
    }
}

TEST_CASE("worker: the handover is not passed on, OpenMP is told") {
    const auto method = GENERATE(every_method());
    launch_request request;
    request.method = method;
    request.omp_threads = 3;
    const char* const present = std::getenv("OMP_NUM_THREADS");
    const std::string expected = present != nullptr ? present : "3";
    worker_under_test worker{method};
    worker.process = launch(request);
    handshake greeting{worker.process->channel(), nullptr, "w", worker.process->pid()};
    while (greeting.now() != handshake::state::ready) {
        incoming* const message = worker.next();
        REQUIRE(message != nullptr);
        greeting.on_message(*message);
        worker.process->channel().pop();
    }
    CHECK(worker.call<std::string>(environment) == "- " + expected);
}

TEST_CASE("worker: large payloads go there and back") {
    worker_under_test worker{start_method::spawn};
    worker.greet();
    std::vector<std::byte> bytes(5'000'000);
    for (std::size_t i = 0; i != bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(i * 7 + i / 1000);
    for (int i = 0; i != 3; ++i) {
        worker.send(echo, 1, bytes);
        CHECK(worker.take<std::string>() ==
              std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
}

TEST_CASE("worker: killed in the middle of a large transfer") {
    const std::vector<std::byte> bytes(100u << 20, std::byte{1});
    for (int round = 0; round != 4; ++round) {
        worker_under_test worker{start_method::spawn};
        worker.greet();
        worker.send(echo, 1, bytes);
        std::thread killer{[&] {
            while (!worker.process->channel().running())
                std::this_thread::yield();
            std::this_thread::sleep_for(
                std::chrono::milliseconds{3 * round}); // somewhere in it, anywhere will do
            worker.process->kill();
        }};
        while (incoming* const message = worker.next()) {
            CHECK(message->bytes.size() == bytes.size()); // all of it or nothing
            worker.process->channel().pop();
        }
        killer.join();
        CHECK(worker.exit_code() == -SIGKILL);
    }
}

TEST_CASE("worker: what it started dies with it") {
    const auto method = GENERATE(every_method());
    CAPTURE(to_string(method));
    const bool crash = GENERATE(false, true);
    worker_under_test worker{method};
    worker.greet();
    const pid_t grandchild = worker.call(starts_a_grandchild);
    const os::unique_fd watch = os::open_pidfd(grandchild);
    if (crash) {
        worker.send(leaves_at_once);
        CHECK(worker.next() == nullptr); // although the grandchild holds copies of all descriptors
    } else {
        worker.process->kill();
    }
    CHECK(worker.exit_code() == (crash ? 0 : -SIGKILL));
    CHECK(os::wait_until_ended(watch.get(), patience));
}

TEST_CASE("worker: workers of a killed parent are gone, busy ones too") {
    const auto method = GENERATE(every_method());
    const auto nested = GENERATE(every_method());
    CAPTURE(to_string(method), to_string(nested));
    worker_under_test parent{method, nullptr, "parent"};
    parent.greet();
    const auto [idle, at_work] = [&] {
        std::vector<std::byte> argument(4);
        argument[0] = static_cast<std::byte>(nested);
        parent.send(starts_workers, 1, argument);
        return parent.take<std::array<int, 2>>();
    }();
    const os::unique_fd idle_watch = os::open_pidfd(idle);
    const os::unique_fd busy_watch = os::open_pidfd(at_work);
    CHECK_FALSE(os::has_ended(idle_watch.get()));
    CHECK_FALSE(os::has_ended(busy_watch.get()));
    os::send_signal(parent.process->pidfd(), SIGKILL); // the process alone, not its group
    CHECK(os::wait_until_ended(idle_watch.get(), patience));
    CHECK(os::wait_until_ended(busy_watch.get(), patience));
    CHECK(parent.exit_code() == -SIGKILL);
}

TEST_CASE("worker: a program without coproc::runtime is told what is missing") {
    const std::string what = GENERATE("pool", "end");
    const auto method = GENERATE(start_method::spawn, start_method::forkserver);
    CAPTURE(what, to_string(method));
    std::string text;
    if (method == start_method::forkserver) { // which must not be there already
        const auto server = forkserver::get(0);
        ::kill(server->pid(), SIGKILL);
        REQUIRE(ends_soon(server->pid()));
    }
    const pause_variable as_if{what.c_str()};
    try {
        worker_under_test worker{method};
        text = failure_of(worker);
    } catch (const coproc::bootstrap_error& e) {
        text = e.what();
    }
    CHECK_THAT(text, ContainsSubstring("coproc::runtime runtime{argc, argv};"));
    CHECK_THAT(text, ContainsSubstring("coproc::main"));
}

TEST_CASE("worker: starting without descriptors leaks nothing") {
    const auto method = GENERATE(every_method());
    CAPTURE(to_string(method));
    { // whatever is made once per program
        worker_under_test warm{method};
        warm.greet();
    }
    const std::size_t before = open_descriptors();
    const auto children_before = children();
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int failures = 0;
    for (rlim_t room = 0; room != 12; ++room) {
        const os::unique_fd highest{::dup(0)};
        const rlimit tight{static_cast<rlim_t>(highest.get()) + room, limit.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
        std::unique_ptr<worker_under_test> worker;
        try {
            worker = std::make_unique<worker_under_test>(method);
        } catch (const std::system_error&) {
            ++failures;
        }
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    CHECK(failures > 0);
    CHECK(open_descriptors() == before);
    CHECK(children() == children_before);
}

TEST_CASE("worker: a fork of the program's own harms nothing") {
    const auto method = GENERATE(every_method());
    CAPTURE(to_string(method));
    auto worker = std::make_unique<worker_under_test>(method);
    worker->greet();
    const pid_t copy = ::fork();
    if (copy == 0) {
        worker.reset(); // a copy of the handle: the worker is not ours
        try {
            worker_under_test own{start_method::spawn};
            own.greet();
            ::_exit(own.call(twice, 3) == 6 ? 0 : 1);
        } catch (...) {
            ::_exit(2);
        }
    }
    int status = -1;
    REQUIRE(::waitpid(copy, &status, 0) == copy);
    CHECK(status == 0);
    CHECK(worker->call(twice, 5) == 10);
    worker->process->channel().send(message_kind::retire);
    CHECK(worker->exit_code() == 0);
}

TEST_CASE("forkserver: is started again when it died; its workers go on") {
    worker_under_test first{start_method::forkserver};
    first.greet();
    const auto server = forkserver::get(0);
    CHECK(forkserver::get(0) == server);
    os::send_signal(os::open_pidfd(server->pid()).get(), SIGKILL);
    REQUIRE(ends_soon(server->pid()));
    worker_under_test second{start_method::forkserver};
    second.greet();
    CHECK(forkserver::get(0) != server);
    CHECK(first.call(twice, 2) == 4);
    CHECK(second.call(twice, 2) == 4);
    first.process->kill();
    CHECK(first.exit_code() == worker_process::unknown_exit_code);
}

TEST_CASE("worker: an initializer runs first, and its failure is told") {
    worker_under_test ready{start_method::spawn};
    static const coproc::job good{[] { ::setenv("COPROC_TEST_INITIALIZED", "yes", 1); }};
    static const coproc::job bad{[] { throw std::runtime_error{"no licence"}; }};
    static const coproc::job deadly{[] { std::_Exit(9); }};
    worker_under_test first{start_method::spawn, &good};
    CHECK_NOTHROW(first.greet());
    worker_under_test second{start_method::spawn, &bad};
    CHECK_THROWS_WITH(second.greet(), ContainsSubstring("no licence"));
    CHECK(second.greeting.initializer_failed());
    worker_under_test third{start_method::spawn, &deadly};
    CHECK_THROWS_WITH(third.greet(), ContainsSubstring("exit code 9 in the initializer"));
}
