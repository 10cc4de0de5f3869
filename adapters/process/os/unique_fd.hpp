// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <unistd.h>
#include <utility>

namespace coproc::detail::os {

/// Owns one descriptor.
class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_{fd} {}
    unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~unique_fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

    /// A second descriptor for the same file, also CLOEXEC.
    [[nodiscard]] unique_fd duplicate() const;

private:
    int fd_ = -1;
};

/// The same for a descriptor that is somebody else's.
[[nodiscard]] unique_fd duplicate(int fd);

/// Whether the descriptor survives an exec.
void set_inheritable(int fd, bool inheritable) noexcept;

} // namespace coproc::detail::os
