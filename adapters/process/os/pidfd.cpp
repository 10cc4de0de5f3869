// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/pidfd.hpp>

#include <os/clock.hpp>
#include <os/system_call.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace coproc::detail::os {
namespace {

constexpr unsigned to_process_group = 1u << 2; // PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9

long pidfd_send(int pidfd, int signal, unsigned flags) noexcept {
    return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, flags);
}

} // namespace

unique_fd open_pidfd(pid_t pid) {
    return unique_fd{
        static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), "open a process descriptor"))};
}

bool has_ended(int pidfd) noexcept { return wait_until_ended(pidfd, std::chrono::nanoseconds{0}); }

bool wait_until_ended(int pidfd, std::optional<std::chrono::nanoseconds> timeout) noexcept {
    const auto end = timeout ? std::chrono::steady_clock::now() + *timeout
                             : std::chrono::steady_clock::time_point{};
    for (;;) {
        pollfd entry{pidfd, POLLIN, 0};
        timespec limit{};
        if (timeout) limit = to_timespec(end - std::chrono::steady_clock::now());
        const int ready = ::ppoll(&entry, 1, timeout ? &limit : nullptr, nullptr);
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) return false;
    }
}

std::optional<reaped> try_reap(int pidfd, bool keep) noexcept {
    siginfo_t info{};
    const int flags = WEXITED | WNOHANG | (keep ? WNOWAIT : 0);
    const int result = retry([&]() noexcept {
        return ::waitid(static_cast<idtype_t>(3) /* P_PIDFD */, static_cast<id_t>(pidfd), &info,
                        flags);
    });
    if (result != 0) {
        if (has_ended(pidfd)) return reaped{false, 0};
        return std::nullopt;
    }
    if (info.si_pid == 0) return std::nullopt;
    return reaped{true, info.si_code == CLD_EXITED ? info.si_status : -info.si_status};
}

void reap_now(pid_t pid) noexcept {
    static_cast<void>(retry([&]() noexcept { return ::waitpid(pid, nullptr, 0); }));
}

bool send_signal(int pidfd, int signal) noexcept { return pidfd_send(pidfd, signal, 0) == 0; }

void send_signal_to_group(int pidfd, pid_t pid, int signal) noexcept {
    if (pidfd_send(pidfd, signal, to_process_group) == 0) return;
    // Before Linux 6.9. The number is the leader's as long as nobody has reaped it.
    if (errno == EINVAL && pidfd_send(pidfd, 0, 0) == 0) ::kill(-pid, signal);
}

pid_t pid_of(int pidfd) noexcept {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    std::FILE* const file = std::fopen(path, "re");
    if (file == nullptr) return 0;
    char line[256];
    int pid = 0;
    while (std::fgets(line, sizeof line, file) != nullptr)
        if (std::sscanf(line, "Pid: %d", &pid) == 1) break;
    std::fclose(file);
    return pid;
}

int own_pidfd() {
    // Pid and descriptor in one word: no lock that a fork could catch in the wrong moment.
    static std::atomic<std::uint64_t> cached{0};
    const auto self = static_cast<std::uint64_t>(::getpid());
    std::uint64_t present = cached.load(std::memory_order_acquire);
    if (present >> 32 == self) return static_cast<int>(present & 0xffff'ffffu);
    unique_fd fd = open_pidfd(static_cast<pid_t>(self));
    const auto wanted = self << 32 | static_cast<std::uint64_t>(fd.get());
    if (!cached.compare_exchange_strong(present, wanted, std::memory_order_acq_rel))
        return static_cast<int>(present &
                                0xffff'ffffu); // another thread of this process was faster
    if (present != 0) ::close(static_cast<int>(present & 0xffff'ffffu)); // inherited by fork
    return fd.release();
}

} // namespace coproc::detail::os
