// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A shared object that is an argument of call after call would be sent as a descriptor, mapped and
// unmapped each time, which costs ten times what the call does. So a worker keeps the one that came
// with its last call, until its next call has another one or none, or it has nothing to do; and a
// parent that is about to send the very same one says so instead.
//
// They agree by one word in the channel's control block: which object is kept, and how many calls
// on their way count on it. All changes are compare-and-swap or addition on that word alone, so an
// object is either promised to a call or let go of, never both. The parent believes nothing of it:
// a worker that lies is one that does not find its argument.

#include <atomic>
#include <cstdint>

namespace coproc::detail {

class kept_word {
public:
    /// Parent: the call that is about to be sent counts on that object. False: send it.
    [[nodiscard]] bool promise(std::uint64_t number) noexcept {
        if (!fits(number)) return false;
        auto seen = word_.load(std::memory_order_relaxed);
        while (seen >> bits == number && (seen & promises) != promises)
            if (word_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel,
                                            std::memory_order_relaxed))
                return true;
        return false;
    }

    /// Worker: an object is kept, where none was.
    void keep(std::uint64_t number) noexcept {
        word_.store(number << bits, std::memory_order_release);
    }
    /// Worker: a call that counted on it has ended, or was taken back.
    void redeem() noexcept { word_.fetch_sub(1, std::memory_order_acq_rel); }
    /// Worker: nothing is kept any more. False: calls count on it.
    [[nodiscard]] bool withdraw() noexcept {
        auto seen = word_.load(std::memory_order_relaxed);
        while ((seen & promises) == 0)
            if (word_.compare_exchange_weak(seen, 0, std::memory_order_acq_rel,
                                            std::memory_order_relaxed))
                return true;
        return false;
    }

    [[nodiscard]] bool empty() const noexcept { return word_.load(std::memory_order_relaxed) == 0; }

    [[nodiscard]] static bool fits(std::uint64_t number) noexcept {
        return number != 0 && number >> (64 - bits) == 0;
    }

private:
    static constexpr unsigned bits = 16;
    static constexpr std::uint64_t promises = (1U << bits) - 1;
    std::atomic<std::uint64_t> word_{0};
};

} // namespace coproc::detail
