// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// For tests that kill: children of a plain fork, and memory that they share with the test. Objects
// in shared memory notice a fork by themselves.

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace coproc_test {

/// A child that runs `body` and exits; killed with its handle at the latest.
class forked {
public:
    forked() = default;
    template <class Body>
    explicit forked(Body&& body) : pid_{::fork()} {
        if (pid_ != 0) return;
        try {
            body();
        } catch (...) {
            ::_exit(99);
        }
        ::_exit(0);
    }
    forked(forked&& other) noexcept : pid_{std::exchange(other.pid_, -1)} {}
    forked& operator=(forked&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    ~forked() { kill(); }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    void kill() noexcept {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        wait();
    }
    /// The exit code, or minus the signal.
    int wait() noexcept {
        int status = 0;
        while (::waitpid(pid_, &status, 0) == -1 && errno == EINTR) {}
        pid_ = -1;
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_ = -1;
};

/// A T that the test and its children see; made of zeros.
template <class T>
class in_common {
public:
    in_common()
        : at_{static_cast<T*>(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))} {
        if (at_ == MAP_FAILED) throw std::bad_alloc{};
    }
    in_common(const in_common&) = delete;
    in_common& operator=(const in_common&) = delete;
    ~in_common() { ::munmap(at_, sizeof(T)); }

    T* operator->() const noexcept { return at_; }
    T& operator*() const noexcept { return *at_; }

private:
    T* at_;
};

} // namespace coproc_test
