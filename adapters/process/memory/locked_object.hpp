// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/locked_memory.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <shared/object.hpp>

namespace coproc::detail {

/// Memory and a lock. A value has a second place, where a new one is complete before it replaces
/// the old one: whoever finds it there after a death replaces it once more.
class locked_object final : public shared::object {
public:
    locked_object(locked_memory::content what, std::uint64_t type, std::size_t bytes);
    locked_object(os::unique_fd memory, locked_memory::content what, std::uint64_t type);

    [[nodiscard]] std::byte* data() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept;

    /// False when the deadline passed first. Throws owner_died_error once for each death.
    bool lock(shared::deadline until);
    void begin_operation();
    void unlock() noexcept; // ends either

    /// Holds the lock in such a way that a death is no news: nothing is half changed then.
    class operation {
    public:
        explicit operation(locked_object& o) : object_{o} { object_.begin_operation(); }
        operation(const operation&) = delete;
        operation& operator=(const operation&) = delete;
        ~operation() { object_.unlock(); }

    private:
        locked_object& object_;
    };
    /// Within an operation.
    void replace(const void* value) noexcept;

protected:
    void repair(shared::party& dead) noexcept override;

private:
    static constexpr unsigned released = 0; // the word to wait for
    static constexpr std::uint32_t died = 0xffff'ffff;
    static constexpr std::uint32_t in_operation = 0x8000'0000;

    struct words {
        shared::word32 owner;     // 0: nobody; else party + 1, perhaps with in_operation; or `died`
        shared::word32 replacing; // the second place holds what is to be in the first
        shared::word64 bytes;
    };
    /// A small one lies in the page of the state.
    static constexpr std::size_t small_size = 1024;
    static constexpr std::size_t small_offset = 2048;
    static_assert(sizeof(words) <= small_offset - shared::state_offset);

    static shared::create_tag layout(locked_memory::content what, std::uint64_t type,
                                     std::size_t bytes);
    [[nodiscard]] std::byte* second() const noexcept;
    void finish_replacing() noexcept;
    [[nodiscard]] bool held_by_this_thread() const noexcept;
    bool acquire(std::uint32_t flag, shared::deadline until);

    // Of those in this process: who, and how often. Only its holder changes it.
    std::atomic<const void*> thread_{nullptr};
    unsigned depth_ = 0;
};

} // namespace coproc::detail
