// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <coproc/cpu_count.hpp>
#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/futex.hpp>
#include <os/limits.hpp>
#include <os/memfd.hpp>
#include <os/pidfd.hpp>
#include <os/socket.hpp>
#include <os/spin.hpp>
#include <os/system_call.hpp>
#include <os/unique_fd.hpp>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace coproc::detail::os;
using namespace std::chrono_literals;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

pid_t child_that(void (*action)()) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        action();
        ::_exit(0);
    }
    return pid;
}

} // namespace

TEST_CASE("os: a failed call says what was attempted") {
    try {
        check(::close(-1), "close nothing");
        FAIL("not thrown");
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::bad_file_descriptor);
        CHECK_THAT(e.what(), StartsWith("coproc: cannot close nothing"));
    }
}

TEST_CASE("os: unique_fd closes once") {
    unique_fd a{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = a.get();
    unique_fd b = std::move(a);
    CHECK_FALSE(a);
    CHECK(b.get() == number);
    unique_fd c = b.duplicate();
    CHECK(::fcntl(c.get(), F_GETFD) == FD_CLOEXEC);
    b.reset();
    CHECK_FALSE(is_open(number));
    CHECK(is_open(c.get()));
}

TEST_CASE("os: shared memory is sparse, sealed and shared") {
    const unique_fd memory = make_memfd("test", std::uint64_t{1} << 40);
    CHECK(sealed_size(memory.get()) == std::uint64_t{1} << 40);
    mapping one{memory.get(), 0, 4096};
    mapping other{memory.get(), 0, 4096, access::read};
    one.data()[7] = std::byte{9};
    CHECK(other.data()[7] == std::byte{9});
    other.grow(1u << 20);
    CHECK(other.size() == 1u << 20);
    CHECK(other.data()[7] == std::byte{9});
    punch_hole(memory.get(), 0, 4096);
    CHECK(other.data()[7] == std::byte{0});
    const unique_fd unsealed{::memfd_create("unsealed", MFD_CLOEXEC)};
    CHECK_THROWS_AS(sealed_size(unsealed.get()), std::system_error);
}

TEST_CASE("os: futex waits and wakes, keeps its time") {
    futex_word word{1};
    CHECK(futex_wait(word, 0, 10s)); // not the value: at once
    const auto began = std::chrono::steady_clock::now();
    CHECK_FALSE(futex_wait(word, 1, 20ms));
    CHECK(std::chrono::steady_clock::now() - began >= 20ms);
    std::thread waker{[&] {
        word.store(2);
        futex_wake(word);
    }};
    while (word.load() == 1)
        futex_wait(word, 1);
    waker.join();
    CHECK(word.load() == 2);
}

TEST_CASE("os: eventfd rings until it is quieted") {
    const unique_fd bell = make_eventfd();
    CHECK_FALSE(quiet(bell.get()));
    ring(bell.get());
    ring(bell.get());
    CHECK(quiet(bell.get()));
    CHECK_FALSE(quiet(bell.get()));
}

TEST_CASE("os: sockets keep boundaries, carry descriptors, and end") {
    auto [a, b] = make_socketpair();
    std::byte buffer[16];
    CHECK(receive_message(b.get(), buffer).what == received::status::nothing);
    const unique_fd file{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    const int descriptors[] = {file.get(), file.get()};
    CHECK(send_message(a.get(), std::as_bytes(std::span{"one", 3})));
    CHECK(send_message(a.get(), std::as_bytes(std::span{"second", 6}), descriptors));
    CHECK(receive_message(b.get(), buffer).size == 3);
    const received second = receive_message(b.get(), buffer);
    CHECK(second.size == 6);
    REQUIRE(second.descriptors.size() == 2);
    CHECK(::fcntl(second.descriptors[0].get(), F_GETFD) == FD_CLOEXEC);
    a.reset();
    CHECK(receive_message(b.get(), buffer).what == received::status::end);
    CHECK_FALSE(send_message(b.get(), std::as_bytes(std::span{"late", 4})));
}

TEST_CASE("os: processes by descriptor") {
    const pid_t sleeper = child_that([] {
        for (;;)
            ::pause();
    });
    const unique_fd watch = open_pidfd(sleeper);
    CHECK_FALSE(has_ended(watch.get()));
    CHECK_FALSE(try_reap(watch.get()));
    CHECK_FALSE(wait_until_ended(watch.get(), 1ms));
    CHECK(send_signal(watch.get(),
                      SIGKILL)); // a handler inherited from the test framework would be in the way
    REQUIRE(wait_until_ended(watch.get(), 30s));
    const auto kept = try_reap(watch.get(), true);
    REQUIRE(kept);
    CHECK(kept->exit_code == -SIGKILL);
    const auto taken = try_reap(watch.get());
    REQUIRE(taken);
    CHECK(taken->exit_code == -SIGKILL);
    CHECK_FALSE(send_signal(watch.get(), SIGKILL));

    const pid_t stolen = child_that([] { ::_exit(3); });
    const unique_fd other = open_pidfd(stolen);
    ::waitpid(stolen, nullptr, 0);
    const auto lost = try_reap(other.get());
    REQUIRE(lost);
    CHECK_FALSE(lost->ours);
}

TEST_CASE("os: the own process by descriptor follows a fork") {
    const int own = own_pidfd();
    CHECK(own_pidfd() == own);
    CHECK_FALSE(has_ended(own));
    const pid_t child = child_that([] { ::_exit(has_ended(own_pidfd()) ? 1 : 0); });
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
}

TEST_CASE("os: cpu_count honours the affinity") {
    const unsigned all = coproc::cpu_count();
    CHECK(all >= 1);
    cpu_set_t former;
    REQUIRE(::sched_getaffinity(0, sizeof former, &former) == 0);
    CHECK(all <= static_cast<unsigned>(CPU_COUNT(&former)));
    cpu_set_t one;
    CPU_ZERO(&one);
    for (std::size_t i = 0; i != CPU_SETSIZE; ++i)
        if (CPU_ISSET(i, &former)) {
            CPU_SET(i, &one);
            break;
        }
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(coproc::cpu_count() == 1);
    ::sched_setaffinity(0, sizeof former, &former);
}

TEST_CASE("os: resident memory of processes") {
    CHECK(resident_bytes() > 500'000);
    CHECK(resident_bytes(::getpid()) > 500'000);
    const pid_t gone = child_that([] {});
    ::waitpid(gone, nullptr, 0);
    CHECK(resident_bytes(gone) == 0);
}

TEST_CASE("os: spinning keeps its time") {
    CHECK(spin_for(0, [] { return true; }));
    CHECK_FALSE(spin_for(0, [] { return false; }));
    const auto began = monotonic_ns();
    CHECK_FALSE(spin_for(100'000, [] { return false; }));
    CHECK(monotonic_ns() - began >= 100'000);
    const auto earlier = to_steady(monotonic_ns());
    CHECK(earlier <= std::chrono::steady_clock::now());
    CHECK(std::chrono::steady_clock::now() - earlier < 60s);
}
