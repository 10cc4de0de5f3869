// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

/// A lock that a thread of a process holds: one word with the party, how often, and which thread.
class recursive_mutex_object : public shared::object {
public:
    static constexpr unsigned released = 0; // the word to wait for

    recursive_mutex_object() : object{shared::create_tag{.what = shared::kind::recursive_mutex}} {}
    explicit recursive_mutex_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::recursive_mutex}} {}

    /// Takes the lock if it is free or the calling thread's. Throws owner_died_error once for each
    /// death.
    bool attempt();
    /// The same, after a look at whether the owner lives.
    bool try_lock();
    void unlock();
    [[nodiscard]] bool held_here() const noexcept;

    /// Of the calling thread, which holds it: lets go of all levels, and returns how many.
    unsigned unlock_all();
    /// The opposite.
    void relock(unsigned depth);

protected:
    void repair(shared::party& dead) noexcept override;

private:
    struct words {
        shared::word64 owner; // 0: nobody; else party + 1 << 48 | depth << 32 | thread; or `died`
    };
    static constexpr std::uint64_t died = ~std::uint64_t{0};
    static constexpr unsigned most_levels = 0xffff;

    [[nodiscard]] std::uint64_t calling_thread() const noexcept;
};

} // namespace coproc::detail
