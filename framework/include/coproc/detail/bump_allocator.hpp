// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Memory for the small objects of a call, which one thread makes and another one lets go of, mostly
// in the order in which they were made: a general allocator pays for that with locks and searches.

#include <cstddef>
#include <new>

namespace coproc::detail {

/// Takes objects from the front of a block to its end; a block is given back when all objects in it
/// have been let go of, so one that is kept keeps a block. Of one thread, but anyone may let go.
class bump_allocator {
public:
    static constexpr std::size_t largest = 512; ///< object, in bytes

    bump_allocator() noexcept = default;
    bump_allocator(const bump_allocator&) = delete;
    bump_allocator& operator=(const bump_allocator&) = delete;
    /// Objects may outlive it.
    ~bump_allocator();

    /// Aligned as by operator new. Throws std::bad_alloc.
    [[nodiscard]] void* allocate(std::size_t bytes);
    static void deallocate(void* object) noexcept;

    struct block;

private:
    void renew();

    block* block_ = nullptr;
    std::byte* next_ = nullptr; // where the next object begins, behind the pointer to its block
    std::size_t left_ = 0;      // bytes from there on
    std::size_t made_ = 0;      // objects in the block
};

/// Base of classes whose objects are made by the calling thread's bump_allocator. (But not where a
/// sanitizer is to see each object's memory.)
class bump_allocated {
public:
    static void* operator new(std::size_t bytes) {
        return bytes <= bump_allocator::largest ? make_room(bytes) : ::operator new(bytes);
    }
    static void operator delete(void* object, std::size_t bytes) noexcept {
        if (bytes <= bump_allocator::largest)
            give_back(object);
        else
            ::operator delete(object);
    }
    static void* operator new(std::size_t bytes, std::align_val_t alignment) {
        return ::operator new(bytes, alignment);
    }
    static void operator delete(void* object, std::size_t /*bytes*/,
                                std::align_val_t alignment) noexcept {
        ::operator delete(object, alignment);
    }

protected:
    ~bump_allocated() = default;

private:
    static void* make_room(std::size_t bytes);
    static void give_back(void* object) noexcept;
};

} // namespace coproc::detail
