// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Two processes that hand a word to and fro in shared memory: what any other way there and back is
// compared with.

#include <atomic>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <linux/futex.h>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace measure {

/// Written in place of a number: the other process may go.
inline constexpr std::uint32_t stop = UINT32_MAX;

struct words {
    alignas(128) std::atomic<std::uint32_t> there{0};
    alignas(128) std::atomic<std::uint32_t> back{0};
};

inline words& shared_words() {
    void* at =
        ::mmap(nullptr, sizeof(words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    return *::new (at) words;
}

/// Both sides sleep until the other one wakes them. The second process is forked where this is
/// made: before there are threads.
class sleepers {
public:
    sleepers() : pid_{::fork()} {
        if (pid_ < 0) std::abort();
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (std::uint32_t n = 0; n != stop;) {
            n = wait_while(words_.there, n);
            hand_over(words_.back, n);
        }
        ::_exit(0);
    }
    sleepers(const sleepers&) = delete;
    sleepers& operator=(const sleepers&) = delete;
    ~sleepers() {
        hand_over(words_.there, stop);
        ::waitpid(pid_, nullptr, 0);
    }

    void round_trip() {
        hand_over(words_.there, n_ + 1);
        n_ = wait_while(words_.back, n_);
    }

private:
    static void hand_over(std::atomic<std::uint32_t>& word, std::uint32_t n) {
        word.store(n);
        ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
    static std::uint32_t wait_while(std::atomic<std::uint32_t>& word, std::uint32_t n) {
        while (word.load() == n)
            ::syscall(SYS_futex, &word, FUTEX_WAIT, n, nullptr, nullptr, 0);
        return word.load();
    }

    words& words_ = shared_words();
    std::uint32_t n_ = 0;
    pid_t pid_;
};

} // namespace measure
