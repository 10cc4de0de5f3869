// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace coproc::detail {

/// An object that is made at its first use, and never destroyed. Not a local static: the child of a
/// fork would wait for ever for the thread that was making it. Threads that come at the same time
/// all make one, and the first stays. Itself it is to be a constinit object.
template <class T>
class made_once {
public:
    template <class Make>
    [[nodiscard]] const T& get(Make&& make) {
        if (const T* const known = known_.load(std::memory_order_acquire)) return *known;
        auto fresh = std::make_unique<const T>(std::forward<Make>(make)());
        const T* known = nullptr;
        if (known_.compare_exchange_strong(known, fresh.get(), std::memory_order_acq_rel,
                                           std::memory_order_acquire))
            return *fresh.release();
        return *known;
    }

private:
    std::atomic<const T*> known_{nullptr};
};

} // namespace coproc::detail
