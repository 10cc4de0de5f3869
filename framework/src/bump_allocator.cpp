// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/bump_allocator.hpp>

#include <coproc/detail/thread_own.hpp>

#include <atomic>
#include <sanitized.hpp>
#include <utility>

namespace coproc::detail {

namespace {

constexpr std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
// More than there can be in a block: while its allocator has it, it does not become empty.
constexpr std::size_t in_use = std::size_t{1} << 32;

/// In front of each object.
using owner = bump_allocator::block*;

owner& owner_of(void* object) noexcept { return static_cast<owner*>(object)[-1]; }

} // namespace

struct bump_allocator::block {
    std::atomic<std::size_t> objects{in_use}; // that are there, once its allocator has left it

    static constexpr std::size_t room = 16 * 256; // a tiny call takes 256
    static constexpr std::size_t size = alignment - sizeof(owner) + room;
    static_assert(sizeof(objects) + sizeof(owner) <= alignment);

    [[nodiscard]] std::byte* begin() noexcept {
        return reinterpret_cast<std::byte*>(this) + alignment;
    }
    static block* make() { return new (::operator new(size)) block; }
    void drop() noexcept { ::operator delete(this); }
    /// So many are there fewer. True: that was the last.
    [[nodiscard]] bool less(std::size_t count) noexcept {
        return objects.fetch_sub(count, std::memory_order_acq_rel) == count;
    }
};

[[gnu::hot]] void* bump_allocator::allocate(std::size_t bytes) {
    const std::size_t size = (bytes + sizeof(owner) + alignment - 1) & ~(alignment - 1);
    // Calls that are waited for one by one have one place, which is in the cache.
    if (left_ < size ||
        (made_ == 1 && block_->objects.load(std::memory_order_relaxed) == in_use - 1))
        renew();
    auto* const object = std::exchange(next_, next_ + size);
    left_ -= size;
    ++made_;
    owner_of(object) = block_;
    return object;
}

[[gnu::hot]] void bump_allocator::renew() {
    block* fresh = block_;
    if (fresh == nullptr || !fresh->less(in_use - made_)) {
        block_ = nullptr; // in case of an exception
        left_ = made_ = 0;
        fresh = block::make();
    } else {
        fresh->objects.store(in_use, std::memory_order_relaxed);
    }
    block_ = fresh;
    next_ = fresh->begin();
    left_ = block::room;
    made_ = 0;
}

[[gnu::hot]] void bump_allocator::deallocate(void* object) noexcept {
    auto* const from = owner_of(object);
    if (from->less(1)) from->drop();
}

bump_allocator::~bump_allocator() {
    if (block_ != nullptr && block_->less(in_use - made_)) block_->drop();
}

#ifdef COPROC_SANITIZED

[[gnu::hot]] void* bump_allocated::make_room(std::size_t bytes) { return ::operator new(bytes); }
[[gnu::hot]] void bump_allocated::give_back(void* object) noexcept { ::operator delete(object); }

#else

void* bump_allocated::make_room(std::size_t bytes) {
    if (auto* const mine = thread_own<bump_allocator>()) return mine->allocate(bytes);
    // The thread is ending: in a block of its own.
    return bump_allocator{}.allocate(bytes);
}
void bump_allocated::give_back(void* object) noexcept { bump_allocator::deallocate(object); }

#endif

} // namespace coproc::detail
