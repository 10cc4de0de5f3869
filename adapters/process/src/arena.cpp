// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/arena.hpp>

#include <os/system_call.hpp>

#include <algorithm>
#include <iterator>

namespace coproc::detail {
namespace {

constexpr std::uint64_t first_mapping = 2u << 20;

std::uint64_t round_up(std::uint64_t n, std::uint64_t unit) noexcept {
    return (n + unit - 1) / unit * unit;
}

/// Mappings double, so that they are moved seldom.
void extend(os::mapping& mapping, int memfd, std::uint64_t base, std::uint64_t limit,
            std::uint64_t end, os::access mode) {
    if (end <= mapping.size()) return;
    const std::uint64_t wanted = std::max({end, std::uint64_t{mapping.size()} * 2, first_mapping});
    const auto size = static_cast<std::size_t>(std::min(round_up(wanted, first_mapping), limit));
    if (mapping.size() == 0)
        mapping = os::mapping{memfd, base, size, mode};
    else
        mapping.grow(size);
}

} // namespace

arena::arena(int memfd, std::uint64_t base, std::uint64_t limit)
    : memfd_{memfd}, base_{base}, limit_{limit} {}

arena_block arena::allocate(std::uint64_t size) {
    if (size > limit_) os::throw_system_error("send a payload of that size", ENOMEM);
    const std::uint64_t capacity = round_up(std::max<std::uint64_t>(size, 1), os::page_size());

    // The lowest place, so that what is in use stays together and its pages are used again.
    auto at = std::find_if(free_.begin(), free_.end(),
                           [&](const auto& f) { return f.second >= capacity; });
    std::uint64_t offset = end_;
    if (at != free_.end())
        offset = at->first;
    else if (!free_.empty() &&
             std::prev(free_.end())->first + std::prev(free_.end())->second == end_)
        offset = (at = std::prev(free_.end()))->first; // the last free stretch, and what follows it
    if (capacity > limit_ - offset)
        os::throw_system_error("send so many large payloads at once", ENOMEM);
    extend(mapping_, memfd_, base_, limit_, offset + capacity, os::access::write);

    if (at != free_.end()) {
        const std::uint64_t rest = at->second > capacity ? at->second - capacity : 0;
        if (rest != 0) free_.emplace(offset + capacity, rest);
        free_.erase(at);
    }
    end_ = std::max(end_, offset + capacity);
    touched_ = std::max(touched_, end_);
    return {offset, capacity};
}

void arena::release(arena_block block) noexcept {
    auto after = free_.lower_bound(block.offset);
    if (after != free_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == block.offset) {
            block.offset = before->first;
            block.capacity += before->second;
            free_.erase(before);
        }
    }
    if (after != free_.end() && block.offset + block.capacity == after->first) {
        block.capacity += after->second;
        free_.erase(after);
    }
    free_.emplace(block.offset, block.capacity);
    trimmed_ = false;
}

void arena::trim() noexcept {
    if (trimmed_) return;
    trimmed_ = true;
    std::uint64_t budget = cache_bytes;
    std::uint64_t last_kept = 0;
    std::uint64_t at = 0; // everything before has been dealt with
    for (const auto& [offset, size] : free_) {
        if (offset > at) last_kept = offset; // blocks in use up to here
        const std::uint64_t kept = std::min(size, budget);
        budget -= kept;
        if (kept != 0) last_kept = offset + kept;
        os::punch_hole(memfd_, base_ + offset + kept, size - kept);
        at = offset + size;
    }
    if (at < end_) last_kept = end_;
    os::punch_hole(memfd_, base_ + end_, touched_ > end_ ? touched_ - end_ : 0);
    if (!free_.empty() && at == end_) {
        end_ = std::prev(free_.end())->first;
        free_.erase(std::prev(free_.end()));
    }
    touched_ = last_kept;
}

std::optional<std::span<const std::byte>> arena_view::at(std::uint64_t offset, std::uint64_t size) {
    if (offset > limit_ || size > limit_ - offset) return std::nullopt;
    if (size == 0) return std::span<const std::byte>{};
    extend(mapping_, memfd_, base_, limit_, offset + size, os::access::read);
    return std::span<const std::byte>{mapping_.data() + offset, static_cast<std::size_t>(size)};
}

} // namespace coproc::detail
