// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>

namespace coproc::detail {

/// What is expected of the next run after one took `ns`; the average is 0 until something has been
/// measured. Longer than thought is believed at once: what is decided by it must not be far too
/// much. Shorter, little by little.
[[nodiscard]] inline float moving_average(float average, float ns, float trust = 0.25F) noexcept {
    return average <= 0 || ns > 4 * average ? ns : average + trust * (ns - average);
}

/// How long each of `items` took; never 0, which would mean that nothing is known.
[[nodiscard]] inline float ns_each(std::chrono::nanoseconds took, float items = 1) noexcept {
    return std::max(1.0F, static_cast<float>(took.count()) / items);
}

} // namespace coproc::detail
