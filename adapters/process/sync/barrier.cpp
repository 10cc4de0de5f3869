// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/barrier.hpp>

#include <coproc/error.hpp>

#include <climits>
#include <optional>
#include <shared/wait_service.hpp>
#include <stdexcept>
#include <sync/barrier_object.hpp>

namespace coproc {
namespace detail {
namespace {

/// What a party says of itself: the phase in which it waits, and how many of its threads and
/// coroutines do. Of another phase: nothing.
constexpr unsigned phase_shift = 32;
constexpr std::uint64_t how_many = 0xffff'ffff;

bool is_of(std::uint64_t came, std::uint64_t phase) noexcept {
    return came >> phase_shift == (phase & how_many);
}

} // namespace

barrier_object::barrier_object(std::size_t parties)
    : object{shared::create_tag{.what = shared::kind::barrier}} {
    state<words>().parties.store(parties);
}

barrier_object::arrival barrier_object::arrive() {
    auto& w = state<words>();
    arrival mine{};
    for (bool looked = false;; looked = true) {
        // Those who wait learn of a death by themselves, but perhaps later than the last one comes:
        // it must not count on the dead.
        if (looked) bury_dead();
        const guard held{*this};
        if (w.broken.load() != 0) throw broken_barrier_error{};
        mine = {w.phase.load(), count()};
        if (mine.before + 1 != parties()) {
            auto& of_party = came(me());
            const auto seen = of_party.load();
            shared::transaction change{base()};
            change.set(w.count, mine.before + 1);
            change.set(of_party, is_of(seen, mine.phase) && (seen & how_many) != 0
                                     ? seen + 1
                                     : mine.phase << phase_shift | 1);
            change.commit();
            return mine;
        }
        if (mine.before != 0 && !looked) continue;
        end_phase(ending::complete, 0);
        break;
    }
    wake(phase_over, INT_MAX);
    return mine;
}

bool barrier_object::broken() {
    bury_dead();
    return state<words>().broken.load() != 0;
}

std::size_t barrier_object::waiting() {
    bury_dead();
    return count();
}

bool barrier_object::passed(std::uint64_t phase) const {
    auto& w = state<words>();
    const auto now = w.phase.load();
    if (now == phase) return false;
    const auto bit = phase % remembered;
    const bool complete = (w.complete[bit / 64].load() >> bit % 64 & 1) != 0;
    // Looked at in this order, the bit is not yet one of a later phase.
    if (!complete || w.phase.load() - phase > remembered - 64) throw broken_barrier_error{};
    return true;
}

std::size_t barrier_object::wait(shared::deadline until) {
    const auto mine = arrive();
    try {
        if (object::wait(phase_over, until, [&] { return passed(mine.phase); })) return mine.before;
    } catch (const broken_barrier_error&) {
        throw;
    } catch (...) {
        give_up(mine.phase); // it cannot wait
        throw;
    }
    if (give_up(mine.phase))
        throw broken_barrier_error{"coproc: the barrier is broken: not all came in time"};
    static_cast<void>(passed(mine.phase));
    return mine.before;
}

bool barrier_object::give_up(std::uint64_t phase) {
    {
        const guard held{*this};
        if (state<words>().phase.load() != phase) return false;
        end_phase(ending::broken, 1);
    }
    wake(phase_over, INT_MAX);
    return true;
}

void barrier_object::abort() {
    {
        const guard held{*this};
        end_phase(ending::broken, 1);
    }
    wake(phase_over, INT_MAX);
}

void barrier_object::reset() {
    {
        const guard held{*this};
        end_phase(ending::broken, 0);
    }
    wake(phase_over, INT_MAX);
}

void barrier_object::end_phase(ending how, std::uint32_t broken) noexcept {
    auto& w = state<words>();
    const auto phase = w.phase.load();
    auto& word = w.complete[phase % remembered / 64];
    const auto bit = std::uint64_t{1} << phase % 64;
    shared::transaction change{base()};
    change.set(word, how == ending::complete ? word.load() | bit : word.load() & ~bit);
    change.set(w.count, 0);
    change.set(w.broken, broken);
    change.set(w.phase, phase + 1);
    change.commit();
}

void barrier_object::repair(shared::party& dead) noexcept {
    const auto seen = came(dead).load();
    if ((seen & how_many) != 0 && is_of(seen, state<words>().phase.load()))
        end_phase(ending::broken, 1);
    came(dead).store(0);
}

namespace {

/// Comes at the first attempt.
class barrier_attempt {
public:
    explicit barrier_attempt(barrier_object& object) noexcept : object_{object} {}

    bool operator()(operation<std::size_t>& waiting) {
        if (!mine_) mine_ = object_.arrive();
        if (!object_.passed(mine_->phase)) return false;
        waiting.succeed(mine_->before);
        return true;
    }
    bool cancelled() const noexcept { return object_.give_up(mine_->phase); }

private:
    barrier_object& object_;
    std::optional<barrier_object::arrival> mine_ = {};
};

} // namespace

template <>
int handle_access::descriptor(const barrier& handle) {
    return handle.object_->descriptor();
}
template <>
barrier handle_access::adopt(int descriptor) {
    return barrier{shared::adopt<barrier_object>(os::unique_fd{descriptor})};
}

} // namespace detail

using detail::barrier_object;

barrier::barrier(of all) : object_{nullptr} {
    if (all.parties == 0) throw std::invalid_argument{"coproc: a barrier needs a party"};
    object_ = detail::shared::create<barrier_object>(all.parties);
}

std::size_t barrier::wait() const { return object_->wait({}); }

std::size_t barrier::wait(duration timeout) const {
    return object_->wait(detail::deadline_after(timeout));
}

void barrier::abort() const { object_->abort(); }

void barrier::reset() const { object_->reset(); }

bool barrier::broken() const { return object_->broken(); }

std::size_t barrier::parties() const noexcept { return object_->parties(); }

std::size_t barrier::waiting() const { return object_->waiting(); }

detail::state_ptr<std::size_t> barrier::start_wait(std::shared_ptr<barrier_object> object) {
    auto& o = *object;
    return detail::shared::start_waiting<std::size_t>(std::move(object), barrier_object::phase_over,
                                                      detail::barrier_attempt{o});
}

} // namespace coproc
