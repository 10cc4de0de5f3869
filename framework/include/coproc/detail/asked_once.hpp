// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <utility>

namespace coproc::detail {

/// A number that is asked of the system when it is first needed; never 0. Not a local static:
/// asking takes long enough for a fork in another thread, and its child would wait for ever for who
/// asks. Threads that come at the same time all ask, and the last answer stays.
class asked_once {
public:
    template <class Ask>
    [[nodiscard]] unsigned get(Ask&& ask) noexcept {
        unsigned known = answer_.load(std::memory_order_relaxed);
        if (known == 0) {
            known = std::forward<Ask>(ask)();
            answer_.store(known, std::memory_order_relaxed);
        }
        return known;
    }

private:
    std::atomic<unsigned> answer_{0};
};

} // namespace coproc::detail
