// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Blocks of memory of any size behind a shared object, in its file, which grows. Sizes are powers
// of two: a page that nobody touched costs nothing, so rounding up is free. A block keeps its place
// and its size for ever; what is free is kept for reuse, since fresh pages are dearer than copying,
// and emptied when there is much of it.

#include <os/memfd.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared/object.hpp>
#include <unordered_map>

namespace coproc::detail {

/// Its state in shared memory.
struct heap_words {
    static constexpr unsigned classes = 44;
    shared::word64 end;  // of what was ever handed out
    shared::word64 kept; // bytes of free blocks whose pages are kept
    shared::word64
        free[classes]; // the first free block of each size; it holds the next one's place
};

struct block {
    std::uint64_t place = 0; // in the file; 0: none
    unsigned size_class = 0;

    [[nodiscard]] std::uint64_t size() const noexcept { return std::uint64_t{4096} << size_class; }
};

/// All functions under the object's guard.
class block_heap {
public:
    /// `first`: where the blocks begin in the file.
    block_heap(shared::object& owner, heap_words& words, std::uint64_t first) noexcept
        : owner_{owner}, words_{words}, first_{first} {}

    /// The smallest class for that many bytes. Throws std::system_error (ENOMEM) if memory does not
    /// suffice for it.
    static unsigned class_for(std::uint64_t bytes);

    /// A block; it is taken when the transaction is committed. One per transaction.
    block take(unsigned size_class, shared::transaction& change);
    /// The opposite. One per transaction. True if empty() is to follow when that is committed.
    [[nodiscard]] bool give_back(block b, shared::transaction& change);
    /// Gives the pages of a free block back to the system.
    void empty(block b) noexcept;

    /// The block in this process's memory; stays there at least as long as the pointer is held.
    std::shared_ptr<os::mapping> map(block b);

private:
    void forget_some();

    shared::object& owner_;
    heap_words& words_;
    std::uint64_t first_;
    std::uint64_t file_size_ = 0;
    std::unordered_map<std::uint64_t, std::shared_ptr<os::mapping>> mapped_;
    std::uint64_t mapped_bytes_ = 0;
};

} // namespace coproc::detail
