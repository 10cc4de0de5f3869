// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/worker_main.hpp>

#include <coproc/detail/child.hpp>
#include <coproc/detail/cpus.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <os/pidfd.hpp>
#include <os/signals.hpp>
#include <src/crash_handler.hpp>
#include <src/exec_launcher.hpp>
#include <src/fork_guard.hpp>
#include <src/worker_loop.hpp>
#include <src/worker_process.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <iostream>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

struct {
    char* begin = nullptr;
    std::size_t size = 0;
} arguments; // the stretch that main's arguments take

bool is_worker = false;
int parent_pidfd = -1;
endpoint* channel = nullptr; // a worker's

/// The child of a fork in a task has the channel, too, and may come back from the task.
void keep_channel_from_children(endpoint& own) {
    channel = &own;
    static const bool registered = [] {
        on_fork_in_child([]() noexcept { channel->copy_on_write(); });
        return true;
    }();
    static_cast<void>(registered);
}

void take_output(std::array<os::unique_fd, 2>& output) noexcept {
    constexpr std::array places{STDOUT_FILENO, STDERR_FILENO};
    for (std::size_t i = 0; i != places.size(); ++i) {
        if (!output[i]) continue;
        ::dup2(output[i].get(), places[i]);
        output[i].reset();
    }
}

/// Lines arrive whole, whoever else writes to the same place.
void buffer_by_line() noexcept {
    static char out[64 * 1024];
    static char err[64 * 1024];
    std::setvbuf(stdout, out, _IOLBF, sizeof out);
    std::setvbuf(stderr, err, _IOLBF, sizeof err);
}

/// For a library that is loaded already and has read its environment.
void limit_omp_threads(unsigned threads) noexcept {
    if (threads == 0 || std::getenv("OMP_NUM_THREADS") != nullptr) return;
    ::setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), 1);
    if (void* const set = ::dlsym(RTLD_DEFAULT, "omp_set_num_threads"))
        reinterpret_cast<void (*)(int)>(set)(static_cast<int>(threads));
}

void take_cpus(const cpu_set& cpus) noexcept {
    if (cpus.empty()) return;
    // While they are all in sight: whom the worker waits for runs elsewhere, so spinning may pay.
    static_cast<void>(known_cpu_count());
    bind_this_thread(cpus);
}

[[noreturn]] void leave(int code, bool forked) noexcept {
    if (!forked) std::exit(code);
    finish_children();
    std::cout.flush();
    std::fflush(stdout);
    std::fflush(stderr);
    ::_exit(code); // the exit handlers are another process's
}

} // namespace

bool in_worker_process() noexcept { return is_worker; }

std::optional<parent_of_this> parent_of_worker() {
    if (parent_pidfd < 0) return std::nullopt;
    return parent_of_this{os::pid_of(parent_pidfd), parent_pidfd};
}

void remember_arguments(int argc, char** argv) noexcept {
    if (arguments.begin != nullptr || argc <= 0 || argv == nullptr || argv[0] == nullptr) return;
    char* end = argv[0];
    for (int i = 0; i != argc && argv[i] == end; ++i)
        end = argv[i] + std::strlen(argv[i]) + 1;
    arguments.begin = argv[0];
    arguments.size = static_cast<std::size_t>(end - argv[0]);
}

void set_process_title(const std::string& name, bool command_line) noexcept {
    ::prctl(PR_SET_NAME, name.c_str()); // cut at 15 characters
    if (!command_line || arguments.size == 0) return;
    const std::string title = process_title(name);
    const std::size_t length = std::min(title.size(), arguments.size - 1);
    std::memset(arguments.begin, 0, arguments.size);
    std::memcpy(arguments.begin, title.data(), length);
}

void run_worker(worker_start start) noexcept {
    is_worker = true;
    const bool forked = start.forked;
    int exit_code = 0;
    try {
        set_process_title(start.name, forked);
        watch_parent(start.channel.socket.get(), start.parent.get());
        // The watcher's, as the socket is, until the process ends.
        parent_pidfd = start.parent.release();
        take_output(start.output);
        if (forked) limit_omp_threads(start.omp_threads);
        buffer_by_line();
        std::signal(SIGPIPE, SIG_DFL);
        // Never destroyed: exit handlers and other threads may run while the process ends.
        keep_channel_from_children(*new endpoint{channel_side::worker, std::move(start.channel)});
        take_cpus(channel->control().cpus);
        install_crash_handler(channel->crash_space());
        exit_code = worker_loop{*channel}.run();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "coproc: worker \"%s\" cannot go on: %s\n", start.name.c_str(),
                     e.what());
        std::fflush(stderr);
        ::_exit(70);
    }
    leave(exit_code, forked);
}

} // namespace coproc::detail
