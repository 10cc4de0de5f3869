// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/exec_launcher.hpp>

#include <os/pidfd.hpp>
#include <os/signals.hpp>
#include <os/system_call.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string_view>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

// From here on: the child, in memory that is the parent's. System calls only.

void close_on_exec_from(unsigned first) noexcept {
    if (::syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return;
    rlimit limit{};
    unsigned end = 1u << 16; // Linux before 5.11: one by one
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end)
        end = static_cast<unsigned>(limit.rlim_cur);
    for (unsigned fd = first; fd < end; ++fd)
        ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
}

void put_stdio_in_place(const std::array<int, 2>& output) noexcept {
    // Workers are in the background: reading the terminal would stop them.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (output[0] >= 0) ::dup2(output[0], STDOUT_FILENO);
    if (output[1] >= 0) ::dup2(output[1], STDERR_FILENO);
    if (null < 0) return;
    ::dup2(null, STDIN_FILENO);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(fd, F_GETFD) < 0) ::dup2(null, fd); // never let another file take such a number
    if (null <= STDERR_FILENO) ::fcntl(null, F_SETFD, 0);
}

void put_pid(char* slot) noexcept {
    auto pid = static_cast<unsigned>(::getpid());
    for (std::size_t i = handover_pid_digits; i-- != 0; pid /= 10)
        slot[i] = static_cast<char>('0' + pid % 10);
}

[[noreturn]] void run_child(const exec_plan& plan) noexcept {
    ::setpgid(0, 0);
    os::reset_signal_handlers();
    put_stdio_in_place(plan.output);
    close_on_exec_from(3);
    for (const int fd : plan.inherited)
        if (fd >= 0) os::set_inheritable(fd, true);
    put_pid(plan.pid_slot);
    os::unblock_all_signals();
    ::execve(plan.path, plan.arguments, plan.environment);
    *plan.error = errno;
    ::_exit(127);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
[[gnu::noinline]] pid_t vfork_and_run(const exec_plan& plan) noexcept {
    // posix_spawn cannot do what run_child does: close, keep and fill standard descriptors as they
    // are, and write the pid into the environment.
    const pid_t pid = ::vfork(); // NOLINT(bugprone-unsafe-functions)
    if (pid == 0) run_child(plan);
    return pid;
}
#pragma GCC diagnostic pop

} // namespace

pid_t start(const exec_plan& plan) {
    // A handler of the program must not run in the child: it would change the parent's memory.
    const os::signal_blocker blocked;
    *plan.error = 0;
    return os::check(vfork_and_run(plan), "start a process");
}

void end(pid_t child) noexcept {
    ::kill(-child, SIGKILL);
    ::kill(child,
           SIGKILL); // where vfork is a fork (under ThreadSanitizer) it may have no group yet
    os::reap_now(child);
}

exec_launcher::exec_launcher(role as, channel_numbers parent, int child_socket, int own_pidfd,
                             const std::string& name, unsigned omp_threads, std::int32_t* error)
    : handover_{handover_text(as, parent.memory, child_socket, parent.bell, own_pidfd, name)} {
    const std::size_t prefix = std::strlen(handover_variable);
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
        if (std::strncmp(*variable, handover_variable, prefix) != 0 || (*variable)[prefix] != '=')
            environment_.push_back(*variable);
    // The more specific variables of OpenBLAS and MKL win over this one, so a user's choice stands
    // in any case.
    if (omp_threads != 0 && std::getenv("OMP_NUM_THREADS") == nullptr) {
        omp_ = "OMP_NUM_THREADS=" + std::to_string(omp_threads);
        environment_.push_back(omp_.data());
    }
    environment_.push_back(handover_.data());
    environment_.push_back(nullptr);
    plan_.environment = environment_.data();
    plan_.inherited = {parent.memory, child_socket, parent.bell, own_pidfd};
    plan_.pid_slot = handover_pid_slot(handover_.data());
    plan_.error = error;
}

std::string process_title(const std::string& name) {
    // In a worker the program's name is a title already.
    const std::string_view program{program_invocation_short_name};
    return std::string{program.substr(0, program.find(": "))} + ": " + name;
}

} // namespace coproc::detail
