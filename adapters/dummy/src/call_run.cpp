// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <call_run.hpp>

#include <algorithm>
#include <utility>

namespace coproc::detail {

void call_run::assign(std::span<work* const> calls, std::uint32_t number) noexcept {
    std::ranges::copy(calls, calls_.begin());
    completed_ = 0;
    place_.store(std::uint64_t{number} << number_shift | std::uint64_t{calls.size()} << end_shift,
                 std::memory_order_release);
}

call_run::recalled call_run::recall() noexcept {
    auto now = place_.load(std::memory_order_acquire);
    std::uint64_t after = 0;
    do {
        after = now & ~(std::uint64_t{0xff} << end_shift);
        after |= std::uint64_t{begun(now)} << end_shift;
        if ((now & runs) != 0) after |= adopted_mark;
        if (after == now) return {};
    } while (!place_.compare_exchange_weak(now, after, std::memory_order_acq_rel,
                                           std::memory_order_acquire));
    const bool adopts = (after & adopted_mark) != 0 && (now & adopted_mark) == 0;
    return {adopts ? calls_[begun(now) - 1] : nullptr,
            std::span{calls_}.subspan(begun(now), count(now) - begun(now))};
}

std::uint32_t call_run::take_completed() noexcept {
    const auto now = place_.load(std::memory_order_acquire);
    const auto completed = begun(now) - ((now & runs) != 0 ? 1U : 0U);
    return completed - std::exchange(completed_, completed);
}

work* call_run::begin() noexcept {
    auto now = place_.load(std::memory_order_acquire);
    do
        if (begun(now) == count(now)) return nullptr;
    while (!place_.compare_exchange_weak(now, (now + one_begun) | runs, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
    return calls_[begun(now)];
}

call_run::step call_run::end() noexcept {
    auto now = place_.load(std::memory_order_acquire);
    std::uint64_t after = 0;
    do {
        if ((now & adopted_mark) != 0) return {false};
        after = begun(now) == count(now) ? now & ~runs : now + one_begun;
    } while (!place_.compare_exchange_weak(now, after, std::memory_order_acq_rel,
                                           std::memory_order_acquire));
    return {true, begun(now) == count(now) ? nullptr : calls_[begun(now)]};
}

} // namespace coproc::detail
