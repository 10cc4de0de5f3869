// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <shared/object.hpp>

namespace coproc::detail {

class held_lock;

/// Those who wait, each with a word of its own to sleep on, and a ticket that says who came first.
///
/// A place is free, waiting, or notified; who waits frees it when it has what it waited for. If it
/// dies first, or gives up, a notification is passed on to the next.
class condition_object : public shared::object {
public:
    condition_object()
        : object{shared::create_tag{.what = shared::kind::condition, .extra = places_size}} {}
    explicit condition_object(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::condition}} {}

    static constexpr unsigned most_places = 1024;
    /// Nobody sleeps on this word of the header.
    static constexpr unsigned counted_as = 3;

    /// Takes a place. Throws std::system_error when there is none.
    unsigned enter();
    [[nodiscard]] bool notified(unsigned place) const noexcept {
        return place_at(place).state.load() == is_notified;
    }
    [[nodiscard]] shared::wait_word& word(unsigned place) const noexcept {
        return place_at(place).word;
    }
    /// It was notified, and that has been used.
    void leave(unsigned place) noexcept;
    /// The wait is over, unless it is notified: false then.
    bool give_up(unsigned place) noexcept;
    /// The wait was in vain: a notification is somebody else's.
    void abandon(unsigned place) noexcept;

    void notify(std::size_t n);

    bool wait(const held_lock& lock, shared::deadline until);

protected:
    void repair(shared::party& dead) noexcept override;
    void wake_all() noexcept override;

private:
    static constexpr std::uint32_t is_free = 0;
    static constexpr std::uint32_t is_waiting = 1;
    static constexpr std::uint32_t is_notified = 2;

    struct alignas(32) slot {
        shared::word32 state;
        shared::word32 party;
        shared::word64 ticket;
        shared::wait_word word; // its count of sleepers is never set back
    };
    static constexpr std::size_t places_size = most_places * sizeof(slot);

    struct words {
        shared::word64 next_ticket;
        shared::word32 used; // places at and beyond this index have never been taken
        shared::word32 unused;
    };

    [[nodiscard]] slot& place_at(unsigned index) const noexcept {
        return reinterpret_cast<slot*>(extra())[index];
    }
    [[nodiscard]] unsigned used() const noexcept;
    /// Who has waited longest; nullptr: nobody waits. Under the guard, as what follows.
    [[nodiscard]] slot* first_waiting() const noexcept;
    /// Frees a place, and passes on its notification: returns the place to be woken.
    slot* pass_on(slot& from) noexcept;
};

} // namespace coproc::detail
