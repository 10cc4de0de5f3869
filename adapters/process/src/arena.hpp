// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Blocks for payloads that are too large for a ring, in one direction of a channel: a stretch of
// the channel's memory file. The sender allocates and takes back; the receiver only looks. Blocks
// are used again, so that repeated large messages do not touch fresh pages each time.

#include <os/memfd.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

namespace coproc::detail {

struct arena_block {
    std::uint64_t offset = 0;   // in the arena
    std::uint64_t capacity = 0; // a multiple of the page size
};

/// The sender's side. Not thread safe.
class arena {
public:
    /// What trim() leaves in place.
    static constexpr std::uint64_t cache_bytes = 4u << 20;

    /// `base`, `limit`: the stretch of the file, multiples of the page size.
    arena(int memfd, std::uint64_t base, std::uint64_t limit);

    /// Throws std::system_error when the stretch or the address space is used up.
    arena_block allocate(std::uint64_t size);
    void release(arena_block block) noexcept;
    /// Valid until the next allocate().
    [[nodiscard]] std::byte* data(arena_block block) const noexcept {
        return mapping_.data() + block.offset;
    }

    /// See mapping::copy_on_write.
    void copy_on_write() noexcept { mapping_.copy_on_write(memfd_, base_); }

    /// Gives free pages back to the system, except for a small cache.
    void trim() noexcept;

    /// Bytes from the beginning of the arena that may have pages behind them.
    [[nodiscard]] std::uint64_t touched() const noexcept { return touched_; }

private:
    int memfd_;
    std::uint64_t base_;
    std::uint64_t limit_;
    os::mapping mapping_;
    std::map<std::uint64_t, std::uint64_t> free_; // offset to size; neighbours are merged
    std::uint64_t end_ = 0;                       // nothing is in use or free from here on
    std::uint64_t touched_ = 0;
    bool trimmed_ = true;
};

/// The receiver's side. Not thread safe.
class arena_view {
public:
    arena_view(int memfd, std::uint64_t base, std::uint64_t limit) noexcept
        : memfd_{memfd}, base_{base}, limit_{limit} {}

    /// Empty if that is not in the arena. Valid until the next call.
    std::optional<std::span<const std::byte>> at(std::uint64_t offset, std::uint64_t size);

private:
    int memfd_;
    std::uint64_t base_;
    std::uint64_t limit_;
    os::mapping mapping_;
};

} // namespace coproc::detail
