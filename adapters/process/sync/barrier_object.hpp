// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

/// Phases: each ends complete or broken, and the next begins. Who waits waits for the end of the
/// phase in which it came.
class barrier_object : public shared::object {
public:
    static constexpr unsigned phase_over = 0; // the word to wait for

    explicit barrier_object(std::size_t parties);
    explicit barrier_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::barrier}} {}

    struct arrival {
        std::uint64_t phase;
        std::size_t before; // how many had come
    };
    /// Throws broken_barrier_error.
    arrival arrive();
    /// Whether the phase is over. Throws broken_barrier_error if it did not end well.
    [[nodiscard]] bool passed(std::uint64_t phase) const;
    std::size_t wait(shared::deadline until);
    /// Somebody of that phase does not wait any longer: false if it was over.
    bool give_up(std::uint64_t phase);

    void abort();
    void reset();
    [[nodiscard]] bool broken();
    [[nodiscard]] std::size_t parties() const noexcept {
        return static_cast<std::size_t>(state<words>().parties.load());
    }
    [[nodiscard]] std::size_t waiting();

protected:
    void repair(shared::party& dead) noexcept override;

private:
    /// For those who are slow to look: how the last phases ended.
    static constexpr std::uint64_t remembered = 16'384;

    struct words {
        shared::word64 parties;
        shared::word64 phase;
        shared::word64 count; // who waits in this phase
        shared::word32 broken;
        shared::word32 unused;
        shared::word64 complete[remembered / 64]; // a bit for each phase
    };
    [[nodiscard]] std::size_t count() const noexcept {
        return static_cast<std::size_t>(state<words>().count.load());
    }
    static shared::word64& came(shared::party& p) noexcept { return p.held[0]; }

    enum class ending { complete, broken };
    /// Ends the phase, under the guard.
    void end_phase(ending how, std::uint32_t broken) noexcept;
};

} // namespace coproc::detail
