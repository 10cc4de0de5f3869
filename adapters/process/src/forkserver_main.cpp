// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/pidfd.hpp>
#include <os/signals.hpp>
#include <os/socket.hpp>
#include <os/system_call.hpp>
#include <src/forkserver.hpp>
#include <src/worker_main.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace coproc::detail {
namespace {

class server {
public:
    explicit server(handover given)
        : socket_{std::move(given.channel.socket)}, parent_{std::move(given.parent)} {
        sigset_t child;
        ::sigemptyset(&child);
        ::sigaddset(&child, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &child, nullptr);
        children_ended_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
        report({fork_report::hello, ::getpid(), 0});
    }

    /// Returns in the children only.
    worker_start run() {
        for (;;) {
            pollfd entries[] = {{socket_.get(), POLLIN, 0},
                                {children_ended_.get(), POLLIN, 0},
                                {parent_.get(), POLLIN, 0}};
            if (::poll(entries, 3, -1) < 0) continue;
            if (entries[2].revents != 0) leave();
            if (entries[1].revents != 0) reap();
            if (entries[0].revents != 0)
                if (auto child = serve()) return std::move(*child);
        }
    }

private:
    std::optional<worker_start> serve() {
        fork_request request;
        os::received got =
            os::receive_message(socket_.get(), std::as_writable_bytes(std::span{&request, 1}));
        if (got.what == os::received::status::end) leave();
        if (got.what == os::received::status::nothing) return std::nullopt;
        if (got.size != sizeof request ||
            (got.descriptors.size() != 3 && got.descriptors.size() != 5)) {
            report({fork_report::failed, 0, EMFILE});
            return std::nullopt;
        }
        request.name[sizeof request.name - 1] = 0;
        const pid_t pid = ::fork();
        if (pid < 0) {
            report({fork_report::failed, 0, errno});
            return std::nullopt;
        }
        if (pid == 0) {
            ::setpgid(0, 0);
            socket_.reset();
            children_ended_.reset();
            os::unblock_all_signals();
            worker_start start;
            start.channel = {std::move(got.descriptors[0]), std::move(got.descriptors[1]),
                             std::move(got.descriptors[2])};
            if (got.descriptors.size() == 5)
                start.output = {std::move(got.descriptors[3]), std::move(got.descriptors[4])};
            start.parent = std::move(parent_);
            start.name = request.name;
            start.omp_threads = request.omp_threads;
            start.forked = true;
            return start;
        }
        ::setpgid(pid, pid); // whoever comes first
        children_.push_back(pid);
        try {
            const os::unique_fd pidfd = os::open_pidfd(pid);
            const int descriptor = pidfd.get();
            report({fork_report::started, pid, 0}, {&descriptor, 1});
        } catch (const std::system_error& e) {
            ::kill(-pid, SIGKILL);
            report({fork_report::failed, 0, e.code().value()});
        }
        return std::nullopt;
    }

    void reap() {
        signalfd_siginfo ignored;
        while (::read(children_ended_.get(), &ignored, sizeof ignored) > 0) {}
        for (;;) {
            siginfo_t info{};
            if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
                return;
            ::kill(-info.si_pid, SIGKILL); // what it left behind; the zombie still holds the number
            ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED);
            std::erase(children_, info.si_pid);
            report({fork_report::ended, info.si_pid,
                    info.si_code == CLD_EXITED ? info.si_status : -info.si_status});
        }
    }

    void report(fork_report what, std::span<const int> descriptors = {}) {
        if (!os::send_message(socket_.get(), std::as_bytes(std::span{&what, 1}), descriptors,
                              os::blocking::yes))
            leave();
    }

    [[noreturn]] void leave() {
        for (const pid_t child : children_)
            ::kill(-child, SIGKILL);
        ::_exit(0);
    }

    os::unique_fd socket_;
    os::unique_fd parent_;
    os::unique_fd children_ended_;
    std::vector<pid_t> children_;
};

worker_start run_server(handover given) {
    server self{std::move(given)};
    return self.run();
}

} // namespace

void serve_forks(handover given) {
    ::prctl(PR_SET_NAME, "forkserver");
    try {
        run_worker(run_server(std::move(given)));
    } catch (...) {
        ::_exit(70);
    }
}

} // namespace coproc::detail
