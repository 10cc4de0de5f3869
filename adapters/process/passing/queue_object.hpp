// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A queue of encoded elements in shared memory.
//
// Small elements lie in segments, one behind the other; of a large one the segment has the place of
// a block of its own. An element is written first and counts from the store that moves the tail; it
// is taken by the store that moves the head. Whoever writes or reads a block without the guard has
// a claim on it, so that it is given back if he dies.

#include <coproc/detail/byte_queue.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <passing/block_heap.hpp>
#include <passing/descriptor_lane.hpp>
#include <shared/object.hpp>
#include <utility>
#include <vector>

namespace coproc::detail {

class queue_object;

/// Larger elements get a block of their own.
inline constexpr std::size_t inline_size = 2048;

/// An element that is encoded and not yet in the queue. Gives its block back if it never gets
/// there.
class outgoing_element {
public:
    /// `back`: it was in the queue before, see queue_object::put_back().
    outgoing_element(std::shared_ptr<queue_object> to, std::size_t bytes, std::size_t descriptors,
                     shared::function_ref<void(writer&)> encode, bool back = false);
    outgoing_element(const outgoing_element&) = delete;
    outgoing_element& operator=(const outgoing_element&) = delete;
    ~outgoing_element();

private:
    friend class queue_object;
    std::shared_ptr<queue_object> to_;
    std::size_t size_;
    std::array<std::byte, inline_size> small_; // if it fits
    std::optional<std::uint32_t> claim_;
    std::vector<os::unique_fd> descriptors_;
};

class queue_object final : public shared::object {
public:
    // What can be waited for.
    static constexpr unsigned items = 0;
    static constexpr unsigned room = 1;
    static constexpr unsigned done = 2;

    explicit queue_object(const queue_options& options);
    queue_object(os::unique_fd memory, const queue_options& expected,
                 std::optional<descriptor_lane>& lane);

    /// False: there is no room. Throws queue_closed_error, std::system_error.
    bool try_put(outgoing_element& element);
    /// False: there is nothing. Throws queue_closed_error when there will be nothing more, and what
    /// `decode` throws, for which the element is gone.
    bool try_get(shared::function_ref<void(reader&)> decode);

    /// An element that was got and that nobody has seen becomes the next one to get.
    void put_back(outgoing_element& element);

    [[nodiscard]] std::uint64_t size() const noexcept;
    [[nodiscard]] std::uint64_t maxsize() const noexcept;
    [[nodiscard]] bool closed() const noexcept;
    void close();

    void task_done();
    [[nodiscard]] bool all_done() const noexcept;

    [[nodiscard]] descriptor_lane* lane() noexcept { return lane_ ? &*lane_ : nullptr; }

protected:
    void repair(shared::party& dead) noexcept override;

private:
    friend class outgoing_element;

    struct words {
        heap_words heap;
        shared::word64 maxsize;
        shared::word32 closed;
        shared::word32 joinable;
        shared::word32 claims_used; // those beyond have never been
        shared::word32 unused;
        shared::word64 last_number; // of those with descriptors
        shared::word64 unfinished;
        shared::word64 front;        // what was put back: place and size class of its block
        shared::word64 tail_segment; // 0: there is none yet
        shared::word64 head_segment;
        // Position in the segment, and how many elements there have been, in one word: one store.
        alignas(64) shared::word64 tail;
        alignas(64) shared::word64 head;
    };
    struct claim {
        shared::word32 owner; // party + 1; 0: free
        shared::word32 size_class;
        shared::word64 place;
    };
    static constexpr unsigned claims = 4096;
    static constexpr std::size_t heap_begin = shared::extra_offset + claims * sizeof(claim);
    static constexpr std::size_t given = 0; // of party::held: elements got and not yet done

    struct record;
    struct taken;

    [[nodiscard]] words& mine() const noexcept { return state<words>(); }
    [[nodiscard]] claim& claim_at(std::uint32_t i) const noexcept {
        return reinterpret_cast<claim*>(extra())[i];
    }
    [[nodiscard]] bool full() const noexcept;

    /// A claim that is free; nobody else's before the guard is let go.
    std::uint32_t free_claim();
    std::pair<std::uint32_t, std::shared_ptr<os::mapping>> claim_block(std::size_t bytes);
    void give_up(std::uint32_t i) noexcept;
    void give_up_under_guard(claim& c) noexcept;

    bool append(outgoing_element& element);
    bool take(taken& into);
    void take_front(taken& into);
    void claim_for_reading(shared::transaction& change, std::uint32_t i, block b);
    void count_as_given(shared::transaction& change);
    void next_segment();
    std::byte* tail_segment();
    std::byte* head_segment();

    block_heap heap_;
    std::optional<descriptor_lane> lane_;
    std::shared_ptr<os::mapping> tail_memory_; // under the guard
    std::uint64_t tail_place_ = 0;
    std::shared_ptr<os::mapping> head_memory_;
    std::uint64_t head_place_ = 0;
};

} // namespace coproc::detail
