// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What stands where in a channel's memory. Both sides are the same program (or at least the same
// version of the library, which the first word says), so these are plain structures; indices only
// grow, and are taken modulo the size of the ring. What one side writes often has cache lines of
// its own.

#include <coproc/detail/cpus.hpp>
#include <src/flow_state.hpp>
#include <src/kept_word.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coproc::detail {

inline constexpr std::size_t cache_line = 128; // CPUs fetch lines in pairs

/// Of a ring. A power of two.
inline constexpr std::size_t ring_bytes = 256 * 1024;
/// It is begun anew here if what has been consumed before makes that possible: so small messages
/// stay in a part of it that fits into a cache, and the rest is memory that nobody has to give.
inline constexpr std::size_t ring_begun_anew = 32 * 1024;
/// Headers that always fit: payloads never take the last bit of a ring.
inline constexpr std::size_t reserved_entries = 128;
inline constexpr std::size_t reserved_bytes = (reserved_entries + 1) * 64;

/// Before every message in a ring. Entries are contiguous and aligned to their header's size; the
/// rest of a ring that is too short for the next one is a padding entry.
struct entry_header {
    std::uint32_t claim = 0; // atomic_ref: the entry's number (30 bits) and an entry_state
    std::uint32_t kind = 0;  // message_kind
    std::uint32_t size = 0;  // of the entry, header included
    std::uint32_t flags = 0;
    std::uint64_t id = 0;
    std::uint64_t payload = 0; // bytes
    std::uint64_t block = 0;   // 0: the payload follows; else where it is beside the rings, plus 1
    std::uint64_t serial = 0;  // counts messages; descriptors are sent under it
    std::uint64_t duration_ns = 0;
    std::uint32_t descriptors = 0;
    std::uint32_t resident_kib = 0;
};
static_assert(sizeof(entry_header) == 64);

/// given_up: it had been claimed while it was still being written, and will not be completed.
enum class entry_state : std::uint32_t { waiting, claimed, revoked, given_up };

inline constexpr std::uint32_t claim_word(std::uint64_t position, entry_state state) noexcept {
    return static_cast<std::uint32_t>(position / sizeof(entry_header)) << 2 |
           static_cast<std::uint32_t>(state);
}

struct ring_indices {
    alignas(cache_line) std::atomic<std::uint64_t> tail{0}; // the producer's
    alignas(cache_line) std::atomic<std::uint64_t> head{0}; // the consumer's
};

/// Where a dying worker's signal handler says what happened. Of the modules, those in the frames.
struct crash_area {
    static constexpr std::size_t max_frames = 64;
    static constexpr std::size_t max_modules = 128;
    static constexpr std::size_t path_bytes = 16 * 1024;
    static constexpr std::uint32_t no_module = 0xffff'ffff;

    struct frame {
        std::uint32_t module;
        std::uint32_t unused;
        std::uint64_t offset; // in the module; an address when there is no module
    };

    std::atomic<std::uint32_t> happened; // set first of all
    std::int32_t signal;
    std::uint64_t address;
    std::atomic<std::uint32_t> frames;
    std::atomic<std::uint32_t> modules;
    frame frame_at[max_frames];
    std::uint32_t path_at[max_modules]; // into paths, each ends with a zero
    char paths[path_bytes];
};

/// Which bell the worker rings, in channel_control::parent_armed. Whatever it says, only once.
namespace announce {
inline constexpr std::uint32_t nobody = 0;
/// The reactor's, with the next message.
inline constexpr std::uint32_t reactor = 1;
/// That of an event loop, with the next reply; from then on as with `later`. A progress message
/// goes to the reactor.
inline constexpr std::uint32_t loop = 2;
/// An event loop knows, and takes the reply by itself. If it has not when the worker goes to sleep
/// or finds its next task, the reactor's is rung: nobody else depends on the loop.
inline constexpr std::uint32_t later = 3;
inline constexpr std::uint32_t mask = 3; // above it stands the loop's slot
inline constexpr std::uint32_t slot_shift = 2;
} // namespace announce
/// So many event loops can be introduced to a worker at a time.
inline constexpr std::size_t most_loops = 8;

struct channel_control {
    std::uint32_t version = 0;    // protocol_version, written before the worker starts
    std::int32_t start_error = 0; // errno of a failed exec, written by the child
    ring_indices down;            // parent to worker
    ring_indices up;              // worker to parent

    alignas(cache_line) std::atomic<std::uint32_t> worker_sleeps{0}; // futex
    std::atomic<std::uint32_t> worker_waits_on{0}; // 1 + the CPU where it does, until it runs
    std::atomic<std::uint32_t> spin_ns{0};         // how long the worker may spin
    alignas(cache_line) std::atomic<std::uint32_t> parent_armed{0}; // announce, and a slot
    std::atomic<std::uint32_t> worker_wants_room{0};                // futex
    std::atomic<std::uint32_t> parent_wants_room{0}; // the worker rings before it sleeps

    alignas(cache_line) std::atomic<std::uint64_t> running_id{0};
    std::atomic<std::uint64_t> running_since{0};
    std::atomic<std::uint32_t> running_item{0};

    alignas(cache_line) kept_word kept{};
    alignas(cache_line) flow_state flow{}; // of a call

    alignas(cache_line) cpu_set cpus{}; // the worker's, if any; written before it starts

    alignas(cache_line) crash_area crash{};
};

inline constexpr std::size_t control_bytes = 64 * 1024;
static_assert(sizeof(channel_control) <= control_bytes);

/// The memory file: control block, two rings, then the blocks of either direction. The file is
/// sparse: it costs what is written. (Less than this where RLIMIT_FSIZE says so.)
inline constexpr std::size_t mapped_bytes = control_bytes + 2 * ring_bytes;
inline constexpr std::uint64_t channel_file_bytes = std::uint64_t{1} << 42;

} // namespace coproc::detail
