// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What every object in shared memory begins with: who takes part, a lock for its state, words to
// sleep on. All of it is plain words that are right at any instruction at which a process may die.
//
//     | header: 1 KiB | the noun's state: 3 KiB | parties: 256 KiB, sparse | the noun's own ... |

#include <os/futex.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coproc::detail::shared {

using word32 = std::atomic<std::uint32_t>;
using word64 = std::atomic<std::uint64_t>;
static_assert(word64::is_always_lock_free);

/// Which noun lies in a piece of shared memory.
enum class kind : std::uint32_t {
    mutex = 1,
    recursive_mutex,
    semaphore,
    condition,
    event,
    barrier,
    latch,
    queue,
    pipe,
    value,
    array,
    memory,
};

/// How many words of an object can be slept on.
inline constexpr unsigned wait_words = 4;

/// A process that takes part in an object. All that it holds there is counted here, so that it can
/// be given back for it.
struct alignas(64) party {
    /// The id of the keeper thread of the process, 0: free. The kernel adds FUTEX_OWNER_DIED when
    /// the process ends, whatever ended it (see keeper.hpp).
    os::futex_word presence;
    word32 pid;                 // 0 for a moment after it joined
    void* next;                 // the kernel's list, in the address space of the party
    word32 waiting[wait_words]; // its part of wait_word::waiters
    word64 held[3];             // the noun's
};
static_assert(sizeof(party) == 64);

/// A word to sleep on.
struct wait_word {
    os::futex_word sequence; // changes whenever it is worth looking again
    word32 waiters;          // never too few; somewhat too many after a death, which costs a system
                             // call in vain
};

/// Stores that happen all or not at all, also if their process dies among them: they are written
/// down with absolute values, and who finds the note unfinished carries it out once more.
struct redo_log {
    static constexpr unsigned capacity = 10;
    struct entry {
        std::uint32_t offset; // from the start of the object
        std::uint32_t size;   // 4 or 8
        std::uint64_t value;
    };
    word32 count; // 0: nothing to do
    std::uint32_t unused;
    entry entries[capacity];
};

struct header {
    static constexpr std::uint64_t magic_value = 0x31'30'63'6f'72'70'6f'63; // "coproc01"

    std::uint64_t magic;
    kind what;
    std::uint32_t unused;
    std::uint64_t type; // of the elements, for nouns that have some

    // What every operation touches is one cache line.
    alignas(64) os::futex_word guard; // 0: free; else party + 1, and the bit that says that
                                      // somebody sleeps
    word32 membership;                // changes when a party has joined
    word32 used;                      // parties at and beyond this index have never been
    std::uint32_t unused2;
    wait_word waits[wait_words];

    alignas(64) redo_log redo;
};

inline constexpr std::size_t state_offset = 1024;
inline constexpr std::size_t state_capacity = 3 * 1024;
inline constexpr std::size_t parties_offset = state_offset + state_capacity;
inline constexpr unsigned most_parties = 4096;
inline constexpr std::size_t extra_offset = parties_offset + most_parties * sizeof(party);
static_assert(sizeof(header) <= state_offset && extra_offset % 4096 == 0);

} // namespace coproc::detail::shared
