// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// How much is there of a large message that the worker reads while the parent is still writing it:
// so both copy at the same time, and the worker finds in a cache what the parent has just written.
//
// There is one for the parent's direction of a channel, since a message is completed before the
// next one begins. Hence an earlier message is complete when a later one has its number here. The
// other direction has none: whoever reads a reply must not have to wait for a worker that may be
// stopped, or hang, in the middle of it.

#include <os/futex.hpp>
#include <os/spin.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coproc::detail {

class flow_state {
public:
    // --- the parent ------------------------------------------------------------------------------

    /// Before the message is published.
    void begin(std::uint64_t serial) noexcept {
        serial_.store(serial, std::memory_order_release); // the one before is complete
        bytes_.store(0, std::memory_order_release);       // whoever sees this sees the number
    }
    void tell(std::size_t bytes) noexcept {
        // Sequentially consistent, here and where the worker goes to sleep: either it sees the
        // bytes, or we see that it sleeps.
        bytes_.store(bytes);
        if (sleeps_.load() != 0 && sleeps_.exchange(0) != 0) os::futex_wake(sleeps_);
    }

    // --- the worker ------------------------------------------------------------------------------

    /// Of a message of `size` bytes.
    [[nodiscard]] std::size_t there(std::uint64_t serial, std::size_t size) const noexcept {
        const std::size_t bytes = bytes_.load();
        return serial_.load(std::memory_order_acquire) == serial ? bytes : size;
    }
    /// Until `least` of them are; spins for up to `spin_ns` first.
    std::size_t wait_for(std::size_t least, std::uint64_t serial, std::size_t size,
                         std::uint64_t spin_ns) noexcept {
        const auto enough = [&] { return there(serial, size) >= least; };
        while (!os::spin_for(spin_ns, enough)) {
            sleeps_.store(1);
            if (!enough()) os::futex_wait(sleeps_, 1);
            sleeps_.store(0, std::memory_order_relaxed);
        }
        return there(serial, size);
    }

private:
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> serial_{0};
    std::atomic<std::uint32_t> sleeps_{0}; // futex
};

} // namespace coproc::detail
