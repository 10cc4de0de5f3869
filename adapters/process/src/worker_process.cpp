// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/worker_process.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/error.hpp>
#include <os/pidfd.hpp>
#include <os/signals.hpp>
#include <os/system_call.hpp>
#include <src/exec_launcher.hpp>
#include <src/fork_guard.hpp>
#include <src/forkserver.hpp>
#include <src/reactor.hpp>
#include <src/worker_main.hpp>

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <new>
#include <shared_mutex>
#include <utility>
#include <vector>

namespace coproc::detail {
namespace {

/// A fork while another thread is between making a channel and starting its worker would copy the
/// worker's end of it.
std::shared_mutex& launching() {
    static std::shared_mutex* const mutex = [] {
        on_fork_in_child([]() noexcept { ::new (&launching()) std::shared_mutex; });
        return new std::shared_mutex;
    }();
    return *mutex;
}

const made_before_main made_early{launching};

void spawn(const launch_request& request, worker_process& process, channel_numbers parent,
           int child_socket) {
    std::int32_t& error = process.channel().control().start_error;
    exec_launcher launcher{role::worker,        parent, child_socket, os::own_pidfd(), request.name,
                           request.omp_threads, &error};
    if (const auto* const output = process.output())
        launcher.redirect(output->child_stdout(), output->child_stderr());
    const std::vector<std::string> arguments{process_title(request.name)};
    auto child = launcher(reactor().get_executor(), own_executable, arguments);
    const pid_t pid = child.id();
    static_cast<void>(child.detach());
    process.adopt(pid, {});
    if (error != 0) {
        const int reason = error;
        process.reap(std::chrono::seconds{5});
        os::throw_system_error("start the program again for a worker", reason);
    }
}

[[noreturn]] void become_worker(worker_start start) noexcept {
    ::setpgid(0, 0);
    os::reset_signal_handlers(); // those of the program, and a sanitizer's: crashes are told as
                                 // everywhere
    os::unblock_all_signals();
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null > 0) {
        ::dup2(null, STDIN_FILENO);
        ::close(null);
    }
    run_worker(std::move(start));
}

void fork_here(const launch_request& request, worker_process& process, channel_numbers parent,
               os::unique_fd child_socket) {
    // What is in the buffers would come out twice.
    std::cout.flush();
    std::fflush(stdout);
    std::fflush(stderr);
    worker_start start;
    start.parent = os::unique_fd{
        os::check(::fcntl(os::own_pidfd(), F_DUPFD_CLOEXEC, 3), "duplicate a descriptor")};
    start.name = request.name;
    start.omp_threads = request.omp_threads;
    start.forked = true;
    const tagged_output* const output = process.output();
    const int except[] = {parent.memory, parent.bell, -1};
    pid_t pid = 0;
    {
        const os::signal_blocker blocked;
        pid = fork_without_private(except);
        if (pid == 0) {
            start.channel = {os::unique_fd{parent.memory}, std::move(child_socket),
                             os::unique_fd{parent.bell}};
            if (output != nullptr)
                start.output = {os::unique_fd{output->child_stdout()},
                                os::unique_fd{output->child_stderr()}};
            become_worker(std::move(start));
        }
        ::setpgid(pid, pid); // whoever comes first
    }
    process.adopt(pid, {});
}

} // namespace

worker_process::worker_process(const launch_request& request, channel_descriptors channel)
    : generation_{count_forks()},
      name_{request.name},
      method_{request.method},
      channel_{channel_side::parent, std::move(channel)} {
    channel_.set_peer_spin(request.spin);
    channel_.control().cpus = request.cpus;
    if (request.tag_output) output_ = std::make_shared<tagged_output>(request.name);
    for (const int fd : {channel_.memory(), channel_.socket(), channel_.bell()})
        keep_private(fd);
}

void worker_process::adopt(pid_t pid, os::unique_fd pidfd, std::shared_ptr<forkserver> server) {
    pid_ = pid;
    server_ = std::move(server);
    try {
        pidfd_ = pidfd ? std::move(pidfd) : os::open_pidfd(pid);
        keep_private(pidfd_.get());
    } catch (...) {
        if (!server_)
            end(pid); // no descriptor left, but the number is ours until it has been reaped
        pid_ = 0;
        throw;
    }
}

worker_process::~worker_process() {
    for (const int fd : {channel_.memory(), channel_.socket(), channel_.bell(), pidfd_.get()})
        no_longer_private(fd);
    if (!ours() || pid_ == 0) return;
    if (!try_reap()) {
        kill();
        reap(std::chrono::seconds{
            10}); // SIGKILL takes effect at once, unless the process is in a broken driver
    }
}

bool worker_process::ours() const noexcept { return generation_ == count_forks(); }

void worker_process::kill() noexcept {
    if (!ours() || pid_ == 0) return;
    const std::scoped_lock lock{mutex_};
    if (exit_code_) return;
    os::send_signal_to_group(pidfd_.get(), pid_, SIGKILL);
    os::send_signal(pidfd_.get(), SIGKILL); // it may have left its group
}

std::optional<int> worker_process::try_reap() noexcept {
    if (!ours() || pid_ == 0) return std::nullopt;
    const std::scoped_lock lock{mutex_};
    if (exit_code_) return exit_code_;
    if (server_) {
        if (!os::has_ended(pidfd_.get())) return std::nullopt;
        exit_code_ = server_->exit_code(pid_, std::chrono::seconds{1});
    } else {
        const auto ended = os::try_reap(pidfd_.get(), true);
        if (!ended) return std::nullopt;
        if (ended->ours) {
            ::kill(-pid_, SIGKILL); // what it left behind; the zombie still holds the number
            os::try_reap(pidfd_.get());
            exit_code_ = ended->exit_code;
        }
    }
    if (!exit_code_) { // nobody knows any more: the program ignores SIGCHLD, or the forkserver was
                       // killed
        const auto crashed = channel_.crash();
        exit_code_ = crashed && crashed->signal > 0 ? -crashed->signal : unknown_exit_code;
    }
    return exit_code_;
}

std::optional<int> worker_process::reap(std::chrono::nanoseconds timeout) noexcept {
    if (pid_ != 0 && ours()) os::wait_until_ended(pidfd_.get(), timeout);
    return try_reap();
}

std::unique_ptr<worker_process> launch(const launch_request& request) {
    const bool by_fork = request.method == start_method::fork;
    std::shared_lock shared{launching(), std::defer_lock};
    std::unique_lock alone{launching(), std::defer_lock};
    if (by_fork)
        alone.lock();
    else
        shared.lock();

    new_channel made = make_channel();
    const channel_numbers numbers{made.parent.memory.get(), made.parent.bell.get()};
    auto process = std::make_unique<worker_process>(request, std::move(made.parent));
    switch (request.method) {
    case start_method::spawn:
        spawn(request, *process, numbers, made.worker_socket.get());
        break;
    case start_method::fork:
        fork_here(request, *process, numbers, std::move(made.worker_socket));
        break;
    case start_method::forkserver: {
        auto server = forkserver::get(request.omp_threads);
        auto child = server->start(request.name, request.omp_threads, numbers,
                                   made.worker_socket.get(), process->output());
        process->adopt(child.pid, std::move(child.pidfd), std::move(server));
        break;
    }
    }
    if (auto* const output = process->output()) output->start();
    return process;
}

} // namespace coproc::detail
