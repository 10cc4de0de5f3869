// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/fork_guard.hpp>

#include <coproc/detail/forks.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <mutex>
#include <new>
#include <pthread.h>
#include <unistd.h>
#include <vector>

namespace coproc::detail {
namespace {

struct guard {
    std::mutex mutex; // of what follows
    std::vector<int> descriptors;
    std::vector<void (*)() noexcept> resets;
    std::vector<void (*)() noexcept> worker_resets;
};

/// The mutex is this thread's, also in the child that it forks.
thread_local bool forks_with_the_mutex = false;

void in_child() noexcept;

/// Never destroyed: threads and static objects may still use it at exit.
guard& the_guard() noexcept {
    static guard* const instance = [] {
        start_counting_forks(); // before what may look at the count
        ::pthread_atfork(nullptr, nullptr, &in_child);
        return new guard;
    }();
    return *instance;
}

const made_before_main made_early{the_guard};

void in_child() noexcept {
    guard& g = the_guard();
    // Another thread may have held the mutex and changed the list at the moment of the fork: begin
    // anew.
    if (!forks_with_the_mutex) ::new (&g.mutex) std::mutex;
    ::new (&g.descriptors) std::vector<int>;
    for (auto* const reset : g.resets)
        reset();
}

} // namespace

void on_fork_in_child(void (*reset)() noexcept) {
    guard& g = the_guard();
    const std::scoped_lock lock{g.mutex};
    g.resets.push_back(reset);
}

void on_worker_fork(void (*reset)() noexcept) {
    guard& g = the_guard();
    const std::scoped_lock lock{g.mutex};
    g.worker_resets.push_back(reset);
}

void keep_private(int fd) {
    guard& g = the_guard();
    const std::scoped_lock lock{g.mutex};
    g.descriptors.push_back(fd);
}

void no_longer_private(int fd) noexcept {
    guard& g = the_guard();
    const std::scoped_lock lock{g.mutex};
    const auto at = std::find(g.descriptors.begin(), g.descriptors.end(), fd);
    if (at == g.descriptors.end()) return;
    *at = g.descriptors.back();
    g.descriptors.pop_back();
}

pid_t fork_without_private(const int* except) {
    guard& g = the_guard();
    std::unique_lock lock{g.mutex};
    const std::vector<int> descriptors = g.descriptors;
    forks_with_the_mutex = true;
    const pid_t pid = ::fork();
    forks_with_the_mutex = false;
    lock.unlock();
    if (pid == 0) {
        for (const int fd : descriptors) {
            const int* keep = except;
            while (*keep != -1 && *keep != fd)
                ++keep;
            if (*keep == -1) ::close(fd);
        }
        for (auto* const reset : g.worker_resets)
            reset();
        return 0;
    }
    return os::check(pid, "fork a worker");
}

} // namespace coproc::detail
