// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

/// A flag, and how often it was set, in one word.
class event_object : public shared::object {
public:
    static constexpr unsigned changed = 0; // the word to wait for

    event_object() : object{shared::create_tag{.what = shared::kind::event}} {}
    explicit event_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::event}} {}

    void set();
    void clear() noexcept;
    [[nodiscard]] bool is_set() const noexcept { return (now() & flag) != 0; }

    /// What a wait remembers of its beginning.
    [[nodiscard]] std::uint64_t now() const noexcept { return state<words>().times.load(); }
    /// Whether it is set, or was in the meantime.
    [[nodiscard]] bool set_since(std::uint64_t then) const noexcept {
        const auto seen = now();
        return (seen & flag) != 0 || (seen & ~flag) != (then & ~flag);
    }

private:
    struct words {
        shared::word64 times; // the flag, and above it the number of times it was set
    };
    static constexpr std::uint64_t flag = 1;
};

} // namespace coproc::detail
