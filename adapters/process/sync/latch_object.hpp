// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

/// A count that goes down to zero: one word.
class latch_object : public shared::object {
public:
    static constexpr unsigned zero = 0; // the word to wait for

    explicit latch_object(std::size_t count)
        : object{shared::create_tag{.what = shared::kind::latch}} {
        state<words>().count.store(count);
    }
    explicit latch_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::latch}} {}

    void count_down(std::size_t n);
    [[nodiscard]] bool is_zero() const noexcept { return state<words>().count.load() == 0; }

private:
    struct words {
        shared::word64 count;
    };
};

} // namespace coproc::detail
