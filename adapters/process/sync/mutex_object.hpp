// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

/// A lock that a process holds: one word, which names the owner.
class mutex_object : public shared::object {
public:
    static constexpr unsigned released = 0; // the word to wait for

    mutex_object() : object{shared::create_tag{.what = shared::kind::mutex}} {}
    explicit mutex_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::mutex}} {}

    /// Takes the lock if it is free. Throws owner_died_error once for each death.
    bool attempt();
    /// The same, after a look at whether the owner lives.
    bool try_lock();
    void unlock();
    [[nodiscard]] bool held_here() const noexcept;

protected:
    void repair(shared::party& dead) noexcept override;

private:
    struct words {
        shared::word32 owner; // 0: nobody; else party + 1; or `died`
    };
    static constexpr std::uint32_t died = 0xffff'ffff;
};

} // namespace coproc::detail
