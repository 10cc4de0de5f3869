// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <passing/block_heap.hpp>

#include <os/limits.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace coproc::detail {
namespace {

constexpr std::uint64_t most_kept = 64 << 20;
constexpr std::uint64_t most_mapped = 512 << 20;
constexpr std::size_t most_mappings = 512;
constexpr std::uint64_t large = 64 << 20; // worth a look at how much memory there is

} // namespace

unsigned block_heap::class_for(std::uint64_t bytes) {
    if (bytes >= large && bytes > os::available_memory())
        throw std::system_error{ENOMEM, std::generic_category(),
                                "coproc: an element of " + std::to_string(bytes) +
                                    " bytes does not fit into the memory that is left"};
    const std::uint64_t pages = bytes / 4096 + (bytes % 4096 != 0 ? 1 : 0);
    const auto size_class = pages <= 1 ? 0u : static_cast<unsigned>(std::bit_width(pages - 1));
    if (size_class >= heap_words::classes)
        throw std::system_error{ENOMEM, std::generic_category(),
                                "coproc: an element of " + std::to_string(bytes) +
                                    " bytes is too large"};
    return size_class;
}

block block_heap::take(unsigned size_class, shared::transaction& change) {
    auto& free = words_.free[size_class];
    if (const std::uint64_t place = free.load(); place != 0) {
        const block b{place, size_class};
        std::uint64_t next = 0;
        std::memcpy(&next, map(b)->data(), sizeof next);
        change.set(free, next);
        const auto kept = words_.kept.load();
        change.set(words_.kept, kept - std::min(kept, b.size()));
        return b;
    }
    const std::uint64_t end = words_.end.load();
    const block b{end == 0 ? first_ : end, size_class};
    if (b.place + b.size() > file_size_) {
        // The file may be longer than this process knows: whoever was first made it so.
        file_size_ = os::sealed_size(owner_.descriptor());
        if (b.place + b.size() > file_size_) {
            constexpr std::uint64_t step = 64 << 20;
            const std::uint64_t wanted = (b.place + b.size() + step - 1) / step * step;
            os::grow_memfd(owner_.descriptor(), wanted);
            file_size_ = wanted;
        }
    }
    change.set(words_.end, b.place + b.size());
    return b;
}

bool block_heap::give_back(block b, shared::transaction& change) {
    auto& free = words_.free[b.size_class];
    const std::uint64_t next = free.load();
    const std::uint64_t kept = words_.kept.load();
    const bool too_much = b.size() > 4096 && kept + b.size() > most_kept;
    if (!too_much) change.set(words_.kept, kept + b.size());
    std::memcpy(map(b)->data(), &next, sizeof next);
    change.set(free, b.place);
    return too_much;
}

void block_heap::empty(block b) noexcept {
    os::punch_hole(owner_.descriptor(), b.place + 4096, b.size() - 4096);
}

std::shared_ptr<os::mapping> block_heap::map(block b) {
    auto& known = mapped_[b.place];
    if (known) return known;
    try {
        known = std::make_shared<os::mapping>(owner_.descriptor(), b.place,
                                              static_cast<std::size_t>(b.size()));
    } catch (...) {
        mapped_.erase(b.place);
        throw;
    }
    mapped_bytes_ += b.size();
    const auto result = known;
    if (mapped_.size() > most_mappings || mapped_bytes_ > most_mapped) forget_some();
    return result;
}

void block_heap::forget_some() {
    for (auto at = mapped_.begin(); at != mapped_.end();) {
        if (at->second.use_count() > 1) {
            ++at;
            continue;
        }
        mapped_bytes_ -= at->second->size();
        at = mapped_.erase(at);
    }
}

} // namespace coproc::detail
