// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/work.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace coproc::detail {

/// Short plain calls that a thread runs one after the other, without a word to its pool in between:
/// the pool's lock and the dispatcher's books cost more than such calls do.
///
/// Until a call begins it can be recalled; one that runs can be adopted, which means that its end
/// is to be reported to the pool, and not published by the thread itself. All of that is one word,
/// changed by compare-and-swap: a call has begun, or is recalled; has ended, or is adopted.
class call_run {
public:
    static constexpr std::uint32_t most = 16;

    call_run() = default;
    call_run(const call_run&) = delete;
    call_run& operator=(const call_run&) = delete;

    // --- the pool's, under its lock ---------------------------------------------------------------
    /// Begins a new run, before its thread is told; the last one is over. It takes over what keeps
    /// the calls alive. `number` tells runs apart, and which one is older.
    void assign(std::span<work* const> calls, std::uint32_t number) noexcept;
    struct recalled {
        work* adopted = nullptr;          ///< runs, and is adopted by this
        std::span<work* const> waiting{}; ///< had not begun, in order, with what keeps it alive;
                                          ///< valid until the next run
    };
    /// Ends the run with what runs now, if anything does.
    [[nodiscard]] recalled recall() noexcept;
    /// How many have ended, unadopted, since this was last asked.
    [[nodiscard]] std::uint32_t take_completed() noexcept;
    /// Changes whenever the thread gets on.
    [[nodiscard]] std::uint64_t place() const noexcept {
        return place_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint32_t number() const noexcept {
        return static_cast<std::uint32_t>(place() >> number_shift);
    }

    // --- the thread's -----------------------------------------------------------------------------
    /// The first call, to be run and let go of; null if none is left.
    [[nodiscard]] work* begin() noexcept;
    struct step {
        bool ended;           ///< false: the call was adopted
        work* next = nullptr; ///< begins with this
    };
    /// After each call.
    [[nodiscard]] step end() noexcept;

private:
    // The word: how many have begun, how many there are, whether the last one that has begun runs,
    // whether it is adopted, and the number of the run.
    static constexpr std::uint64_t one_begun = 1;
    static constexpr unsigned end_shift = 8;
    static constexpr std::uint64_t runs = std::uint64_t{1} << 16;
    static constexpr std::uint64_t adopted_mark = std::uint64_t{1} << 17;
    static constexpr unsigned number_shift = 32;
    static std::uint32_t begun(std::uint64_t place) noexcept {
        return static_cast<std::uint32_t>(place & 0xff);
    }
    static std::uint32_t count(std::uint64_t place) noexcept {
        return static_cast<std::uint32_t>(place >> end_shift & 0xff);
    }

    std::array<work*, most> calls_{};
    std::uint32_t completed_ = 0; // as far as the pool has been told
    alignas(64) std::atomic<std::uint64_t> place_{0};
};

} // namespace coproc::detail
