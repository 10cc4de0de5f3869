// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Anonymous memory that can be handed to another process. It has no name anywhere, so it cannot be
// left behind.

#include <os/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace coproc::detail::os {

/// A memory file of a fixed size. Pages cost memory only once they are touched, so the size may be
/// generous. It is sealed against shrinking and growing: whoever else has it cannot make an access
/// here fail with SIGBUS.
unique_fd make_memfd(const char* name, std::uint64_t size);

/// The same, but it can be made longer by grow_memfd().
unique_fd make_growing_memfd(const char* name, std::uint64_t size);
void grow_memfd(int memfd, std::uint64_t size);

/// The size of a memory file that came from elsewhere; throws unless it is sealed against
/// shrinking.
std::uint64_t sealed_size(int memfd);

/// Gives pages back to the system; they read as zeros afterwards.
void punch_hole(int memfd, std::uint64_t offset, std::uint64_t size) noexcept;

std::size_t page_size() noexcept;

enum class access { read, write };

/// A piece of a file in this process's memory.
class mapping {
public:
    mapping() noexcept = default;
    mapping(int fd, std::uint64_t offset, std::size_t size, access mode = access::write);
    mapping(mapping&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    mapping& operator=(mapping&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~mapping();

    /// Makes the mapping longer; it may move.
    void grow(std::size_t size);
    /// From now on what this process writes is seen by itself alone. For a handler of fork:
    /// whether it works or not, nothing else is done.
    void copy_on_write(int fd, std::uint64_t offset) noexcept;

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }

private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace coproc::detail::os
