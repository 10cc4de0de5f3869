// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/signals.hpp>
#include <os/system_call.hpp>
#include <src/worker_main.hpp>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

constexpr std::size_t stack_bytes = 128 * 1024;

// A thread and not a signal: it works whatever the task does to signals, and while the task
// computes.
void* watch(void* descriptors) {
    const auto both = reinterpret_cast<std::uintptr_t>(descriptors);
    pollfd entries[] = {{static_cast<int>(both >> 32), POLLRDHUP, 0},
                        {static_cast<int>(both & 0xffff'ffffu), POLLIN, 0}};
    // The socket's end comes at once; the process descriptor cannot be masked by a copy somebody
    // inherited.
    while (entries[0].revents == 0 && entries[1].revents == 0)
        if (::poll(entries, 2, -1) < 0 && errno != EINTR) break;
    if (::getpgrp() == ::getpid()) ::kill(0, SIGKILL);
    ::kill(::getpid(), SIGKILL);
    return nullptr;
}

} // namespace

void watch_parent(int socket, int parent_pidfd) {
    static_assert(sizeof(std::uintptr_t) == 8);
    const os::signal_blocker blocked;
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ::pthread_attr_setstacksize(&attributes,
                                std::max(static_cast<std::size_t>(PTHREAD_STACK_MIN), stack_bytes));
    const auto both =
        static_cast<std::uintptr_t>(socket) << 32 | static_cast<std::uintptr_t>(parent_pidfd);
    pthread_t thread;
    const int error = ::pthread_create(&thread, &attributes, &watch, reinterpret_cast<void*>(both));
    ::pthread_attr_destroy(&attributes);
    if (error != 0) os::throw_system_error("start the thread that watches the parent", error);
    ::pthread_setname_np(thread, "coproc-watch");
}

} // namespace coproc::detail
