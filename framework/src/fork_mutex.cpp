// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/fork_mutex.hpp>

#include <coproc/detail/forks.hpp>

#include <pthread.h>

namespace coproc::detail {

struct fork_mutexes {
    std::mutex adding;
    fork_mutex* first = nullptr;

    void add(fork_mutex& m) {
        const std::scoped_lock lock{adding};
        m.next_ = first;
        first = &m;
    }
    void lock_all() {
        adding.lock();
        for (auto* m = first; m != nullptr; m = m->next_)
            m->mutex_.lock();
    }
    void unlock_all() {
        for (auto* m = first; m != nullptr; m = m->next_)
            m->mutex_.unlock();
        adding.unlock();
    }
};

namespace {

fork_mutexes& all() {
    static fork_mutexes* const instance = [] {
        // Whoever forks holds them all, in the child as well.
        ::pthread_atfork([]() noexcept { all().lock_all(); }, []() noexcept { all().unlock_all(); },
                         []() noexcept { all().unlock_all(); });
        return new fork_mutexes;
    }();
    return *instance;
}

const made_before_main made_early{all};

} // namespace

fork_mutex::fork_mutex() { all().add(*this); }

} // namespace coproc::detail
