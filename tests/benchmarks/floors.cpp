// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What the machine itself needs, without any library: two processes that hand a word to and fro in
// shared memory, spinning or asleep; a wake-up through an eventfd; a copy of memory; a bare child
// process.

#include "measure.hpp"
#include "ping_pong.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using measure::shared_words;
using measure::stop;

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void spin_until(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
    while (word.load(std::memory_order_acquire) != value)
        pause();
}

std::uint32_t spin_for_change(const std::atomic<std::uint32_t>& word, std::uint32_t last) {
    for (;;) {
        const auto now = word.load(std::memory_order_acquire);
        if (now != last) return now;
        pause();
    }
}

/// `child` runs in a process of its own for as long as `parent` does.
template <class Child, class Parent>
void beside(Child&& child, Parent&& parent) {
    const pid_t pid = ::fork();
    if (pid < 0) std::abort();
    if (pid == 0) {
        child();
        ::_exit(0);
    }
    parent();
    int status = 0;
    ::waitpid(pid, &status, 0);
}

void spinning(const measure::arguments& arguments) {
    auto& w = shared_words();
    beside(
        [&] {
            for (std::uint32_t n = 0; n != stop;) {
                n = spin_for_change(w.there, n);
                w.back.store(n, std::memory_order_release);
            }
        },
        [&] {
            std::vector<double> samples;
            const auto rounds = static_cast<std::uint32_t>(arguments.count(1'000'000));
            for (std::uint32_t n = 1; n <= rounds; ++n) {
                const double took = measure::timed([&] {
                    w.there.store(n, std::memory_order_release);
                    spin_until(w.back, n);
                });
                if (n > rounds / 10) samples.push_back(took);
            }
            w.there.store(stop);
            measure::report("floor.spin_ping_pong", measure::median(std::move(samples)), "ns");
        });
}

void sleeping(const measure::arguments& arguments) {
    measure::sleepers pair;
    std::vector<double> samples;
    for (int i = 0; i < arguments.count(50'000); ++i)
        samples.push_back(measure::timed([&] { pair.round_trip(); }));
    measure::report("floor.futex_ping_pong", measure::median(std::move(samples)), "ns");
}

/// A word in shared memory to a process that spins, an eventfd back to a sleeper in epoll_wait. If
/// the process takes its time with the answer, which is taken off, the other one sleeps for sure.
void to_epoll(const measure::arguments& arguments, const std::string& name, std::int64_t takes) {
    auto& w = shared_words();
    auto& took = *::new (&shared_words()) std::atomic<std::int64_t>{0};
    const int bell = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, bell, &event);
    beside(
        [&] {
            for (std::uint32_t n = 0;;) {
                n = spin_for_change(w.there, n);
                if (n == stop) return;
                const auto began = measure::now_ns();
                while (measure::now_ns() - began < takes) {}
                took.store(takes == 0 ? 0 : measure::now_ns() - began);
                ::eventfd_write(bell, 1);
            }
        },
        [&] {
            std::vector<double> samples;
            const int rounds = arguments.count(takes == 0 ? 50'000 : 10'000);
            for (std::uint32_t n = 1; n <= static_cast<std::uint32_t>(rounds); ++n) {
                const double all = measure::timed([&] {
                    w.there.store(n);
                    epoll_event got{};
                    while (::epoll_wait(poller, &got, 1, -1) != 1) {}
                });
                samples.push_back(all - static_cast<double>(took.load()));
            }
            w.there.store(stop);
            measure::report(name, measure::median(std::move(samples)), "ns");
        });
    ::close(poller);
    ::close(bell);
}

void copying(const measure::arguments& arguments) {
    constexpr std::size_t bytes = std::size_t{64} << 20U;
    std::vector<char> from(bytes, 'x');
    std::vector<char> to(bytes);
    const double ns = measure::median_of(arguments.quick ? 5 : 21, [&] {
        return measure::timed([&] {
            std::memcpy(to.data(), from.data(), bytes);
            asm volatile("" : : "r"(to.data()) : "memory");
        });
    });
    measure::report("floor.memcpy", static_cast<double>(bytes) / ns, "GB/s");
}

/// This program once more, to do what the option says.
pid_t spawn(const char* self, const char* option) {
    const char* const argv[] = {self, option, nullptr};
    pid_t pid = 0;
    if (::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, const_cast<char* const*>(argv),
                      environ) != 0)
        std::abort();
    return pid;
}

void bare_child(const measure::arguments& arguments, const char* self) {
    const auto spawn_and_wait = [&] {
        return measure::timed([&] {
            const pid_t pid = spawn(self, "--nothing");
            int status = 0;
            ::waitpid(pid, &status, 0);
        });
    };
    measure::report("floor.posix_spawn_and_wait",
                    measure::median_of(arguments.count(50), spawn_and_wait) / 1e6, "ms");
}

/// As large as a worker's program: most of the time goes into its unmapping.
void death(const measure::arguments& arguments, const char* self) {
    const auto kill_and_reap = [&] {
        const pid_t pid = spawn(self, "--sleep");
        std::this_thread::sleep_for(std::chrono::milliseconds{25});
        return measure::timed([&] {
            ::kill(pid, SIGKILL);
            int status = 0;
            ::waitpid(pid, &status, 0);
        });
    };
    measure::report("floor.kill_and_reap",
                    measure::median_of(arguments.count(50), kill_and_reap) / 1e6, "ms");
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--nothing") == 0) return 0;
    while (argc == 2 && std::strcmp(argv[1], "--sleep") == 0)
        ::pause();
    const measure::arguments arguments{argc, argv};
    if (arguments.wants("floor.spin_ping_pong")) spinning(arguments);
    if (arguments.wants("floor.futex_ping_pong")) sleeping(arguments);
    if (arguments.wants("floor.eventfd_to_epoll")) {
        to_epoll(arguments, "floor.eventfd_to_epoll", 0);
        to_epoll(arguments, "floor.eventfd_to_epoll_asleep", measure::asleep_after_ns);
    }
    if (arguments.wants("floor.memcpy")) copying(arguments);
    if (arguments.wants("floor.kill_and_reap")) death(arguments, argv[0]);
    if (arguments.wants("floor.posix_spawn")) bare_child(arguments, argv[0]);
}
