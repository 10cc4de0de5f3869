// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

/// A count of units. Those of permits are counted in the party that has them.
class semaphore_object : public shared::object {
public:
    static constexpr unsigned units = 0; // the word to wait for

    semaphore_object(std::size_t initial, bool bounded);
    explicit semaphore_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::semaphore}} {}

    enum class owner { nobody, this_process };

    /// Takes a unit if there is one.
    bool attempt(owner whose = owner::nobody);
    /// The same, after a look at whether somebody died with a permit.
    bool try_acquire(owner whose = owner::nobody);
    /// Throws std::logic_error when these are too many.
    void release(std::size_t n);
    /// A permit of this process.
    void give_back();
    [[nodiscard]] std::size_t value();

protected:
    void repair(shared::party& dead) noexcept override;

private:
    struct words {
        shared::word64 value;
        shared::word64 most;
    };
    /// Permits of a party: an excess is nobody's, if others have released too much.
    void return_permits(shared::party& from, std::uint64_t n) noexcept;
    static shared::word64& permits_of(shared::party& p) noexcept { return p.held[0]; }
};

} // namespace coproc::detail
