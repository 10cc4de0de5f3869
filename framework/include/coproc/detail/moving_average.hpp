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

/// What is expected of a single call after others. The same; but what surrounds tiny calls takes
/// far longer than they do now and then, and is not to be taken for them.
class call_average {
public:
    [[nodiscard]] bool known() const noexcept { return ns_ > 0; }
    /// 0: nothing has been measured.
    [[nodiscard]] float get() const noexcept { return ns_; }
    /// The next one surely needs a CPU for as long as it takes, and that is not long.
    [[nodiscard]] bool tiny() const noexcept {
        return known() && ns_ < tiny_ns && since_believed_ >= seldom;
    }

    void add(float ns) noexcept {
        if (known() && ns > 4 * ns_) {
            if (ns < long_ns)
                ns = 4 * ns_; // the first of a worker that had slept: its caches were cold
            else if (ns_ < tiny_ns && has_credit(ns))
                return; // it had lost its CPU
            else
                since_believed_ = 0;
        }
        ns_ = moving_average(ns_, ns);
        credit_ns_ = std::min(credit_ns_ + credit_per_call_ns, most_credit_ns);
        if (since_believed_ < seldom) ++since_believed_;
    }

private:
    static constexpr float tiny_ns = 2e3F;
    static constexpr float long_ns = 1e5F;
    static constexpr unsigned seldom = 1000;
    // Long ones among tiny ones are not believed as long as they come to no more than half of what
    // a tiny one may take; and a single one is paid by a thousand calls, however long it was.
    static constexpr float credit_per_call_ns = tiny_ns / 2;
    static constexpr float single_ns = seldom * credit_per_call_ns;
    static constexpr float most_credit_ns = 4 * single_ns;

    bool has_credit(float ns) noexcept {
        const float price = std::min(ns, single_ns);
        const bool enough = price <= credit_ns_;
        credit_ns_ = enough ? credit_ns_ - price : 0;
        return enough;
    }

    float ns_ = 0;
    float credit_ns_ = 0;
    unsigned since_believed_ = seldom; // so many calls
};

} // namespace coproc::detail
