// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/condition.hpp>

#include <coproc/error.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <limits>
#include <mutex>
#include <shared/wait_service.hpp>
#include <stdexcept>
#include <sync/condition_object.hpp>
#include <sync/mutex_object.hpp>
#include <sync/recursive_mutex_object.hpp>
#include <utility>

namespace coproc {
namespace detail {

void lock_not_held() {
    throw std::logic_error{
        "coproc: a condition was waited on without its lock: lock it first, it is let go of during "
        "the wait"};
}

held_lock::held_lock(const mutex& lock) : mutex_{handle_access::object(lock)} {
    if (!mutex_->held_here()) lock_not_held();
}

held_lock::held_lock(const recursive_mutex& lock) : recursive_{handle_access::object(lock)} {
    if (!recursive_->held_here()) lock_not_held();
}

// --- the places ----------------------------------------------------------------------------------

unsigned condition_object::used() const noexcept {
    return std::min(state<words>().used.load(), most_places);
}

unsigned condition_object::enter() {
    auto& w = state<words>();
    const guard held{*this};
    const auto all = used();
    unsigned i = 0;
    while (i != all && place_at(i).state.load() != is_free)
        ++i;
    if (i == most_places)
        os::throw_system_error("wait on a condition that 1024 wait on already", EAGAIN);
    slot& mine = place_at(i);
    const auto ticket = w.next_ticket.load();
    w.next_ticket.store(ticket + 1);
    mine.ticket.store(ticket);
    mine.party.store(self());
    if (i == all) w.used.store(all + 1);
    mine.state.store(is_waiting); // until here nothing has happened
    return i;
}

void condition_object::leave(unsigned index) noexcept { place_at(index).state.store(is_free); }

bool condition_object::give_up(unsigned index) noexcept {
    const guard held{*this};
    auto& state = place_at(index).state;
    if (state.load() == is_notified) return false;
    state.store(is_free);
    return true;
}

void condition_object::abandon(unsigned index) noexcept {
    slot* next = nullptr;
    {
        const guard held{*this};
        next = pass_on(place_at(index));
    }
    if (next != nullptr) object::wake(next->word, INT_MAX);
}

condition_object::slot* condition_object::first_waiting() const noexcept {
    slot* first = nullptr;
    const auto all = used();
    for (unsigned i = 0; i != all; ++i) {
        slot& p = place_at(i);
        if (p.state.load() == is_waiting &&
            (first == nullptr || p.ticket.load() < first->ticket.load()))
            first = &p;
    }
    return first;
}

condition_object::slot* condition_object::pass_on(slot& from) noexcept {
    slot* const next = from.state.load() == is_notified ? first_waiting() : nullptr;
    if (next == nullptr) {
        from.state.store(is_free);
        return nullptr;
    }
    shared::transaction change{base()};
    change.set(from.state, is_free);
    change.set(next->state, is_notified);
    change.commit();
    return next;
}

void condition_object::notify(std::size_t n) {
    if (used() == 0 || n == 0) return;
    struct candidate {
        std::uint64_t ticket;
        unsigned index;
    };
    std::array<candidate, most_places> waiting; // NOLINT(cppcoreguidelines-pro-type-member-init)
    std::size_t count = 0;
    {
        const guard held{*this};
        if (n == 1) {
            if (slot* const first = first_waiting())
                waiting[count++] = {0, static_cast<unsigned>(first - &place_at(0))};
        } else {
            const auto all = used();
            for (unsigned i = 0; i != all; ++i)
                if (place_at(i).state.load() == is_waiting)
                    waiting[count++] = {place_at(i).ticket.load(), i};
            if (count > n) {
                const auto middle = waiting.begin() + static_cast<std::ptrdiff_t>(n);
                std::nth_element(
                    waiting.begin(), middle, waiting.begin() + static_cast<std::ptrdiff_t>(count),
                    [](const candidate& a, const candidate& b) { return a.ticket < b.ticket; });
                count = n;
            }
        }
        for (std::size_t i = 0; i != count; ++i)
            place_at(waiting[i].index).state.store(is_notified);
    }
    for (std::size_t i = 0; i != count; ++i)
        object::wake(place_at(waiting[i].index).word, INT_MAX);
}

void condition_object::repair(shared::party& dead) noexcept {
    // First those who still waited: nothing is passed on to them.
    const auto index = index_of(dead);
    const auto all = used();
    for (const auto state : {is_waiting, is_notified})
        for (unsigned i = 0; i != all; ++i) {
            slot& p = place_at(i);
            if (p.party.load() == index && p.state.load() == state)
                pass_on(p); // everybody looks again afterwards
        }
}

void condition_object::wake_all() noexcept {
    object::wake_all();
    const auto all = used();
    for (unsigned i = 0; i != all; ++i)
        object::wake(place_at(i).word, INT_MAX);
}

// --- waiting -------------------------------------------------------------------------------------

namespace {

/// A place for the time of a wait.
class taken_place {
public:
    explicit taken_place(condition_object& of) : of_{of}, index_{of.enter()} {}
    taken_place(const taken_place&) = delete;
    taken_place& operator=(const taken_place&) = delete;
    ~taken_place() {
        if (taken_) of_.abandon(index_);
    }

    [[nodiscard]] unsigned index() const noexcept { return index_; }
    /// Its notification has been used.
    void leave() noexcept {
        taken_ = false;
        of_.leave(index_);
    }
    /// False, and it is still taken, if there is a notification.
    bool give_up() noexcept {
        taken_ = !of_.give_up(index_);
        return !taken_;
    }

private:
    condition_object& of_;
    unsigned index_;
    bool taken_ = true;
};

} // namespace

bool condition_object::wait(const held_lock& lock, shared::deadline until) {
    // From here on it is notified; so nothing is lost between this and the unlock.
    taken_place place{*this};
    unsigned depth = 0;
    if (lock.mutex_ != nullptr)
        lock.mutex_->unlock();
    else
        depth = lock.recursive_->unlock_all();

    const auto relock = [&] {
        try {
            if (lock.mutex_ != nullptr)
                lock.mutex_->wait(mutex_object::released, {},
                                  [&] { return lock.mutex_->attempt(); });
            else
                lock.recursive_->relock(depth);
        } catch (const owner_died_error&) {
            lock.guard_.release();
            throw;
        }
    };
    bool in_time = false;
    try {
        in_time = object::wait(word(place.index()), counted_as, until,
                               [&] { return notified(place.index()); });
    } catch (...) {
        relock();
        throw;
    }
    const bool notified_in_time = in_time || !place.give_up();
    relock(); // if it dies over this, or the lock's owner has, its notification is passed on
    if (notified_in_time) place.leave();
    return notified_in_time;
}

/// Waits for its notification, then for the lock.
class condition_wait final : public operation<void> {
public:
    condition_wait(std::shared_ptr<condition_object> on, const held_lock& lock)
        : condition_{std::move(on)},
          mutex_{lock.mutex_},
          guard_{lock.guard_},
          place_{condition_->enter()} {}

    void start() {
        try {
            mutex_->unlock();
        } catch (...) {
            condition_->abandon(place_);
            throw;
        }
        begin(step::notification);
    }

    bool cancel() noexcept override {
        std::unique_lock hold{changing_};
        if (cancelled_ || error() != nullptr) return false;
        cancelled_ = true;
        if (step_ == step::over) {
            // Nobody will know that it was notified.
            notify_another();
            set_error(cancellation());
        } else {
            give_up_place();
            if (step_ == step::notification) {
                step_ = step::lock;
                hold.unlock();
                shared::look_again(part{*this, step::notification});
                begin(step::lock);
            }
        }
        return true;
    }

    /// Nobody would unlock the mutex: it is not locked again. If it has been, it is the
    /// coroutine's.
    void abandon() noexcept override {
        std::unique_lock hold{changing_};
        if (!has_lock_) std::exchange(guard_, {}).release(); // the next time it may have gone
        if (step_ == step::over) {
            hold.unlock();
            cancel();
            return;
        }
        const auto waited_for = std::exchange(step_, step::over);
        give_up_place();
        fail(cancellation());
        hold.unlock();
        shared::look_again(part{*this, waited_for});
    }
    void fetch() noexcept override {
        if (!has_lock_) guard_.release();
    }

private:
    enum class step { notification, lock, over };

    /// Its share in the service, for each of the two.
    class part final : public shared::waiter {
    public:
        part(condition_wait& all, step which)
            : waiter{which == step::lock ? std::shared_ptr<shared::object>{all.mutex_}
                                         : std::shared_ptr<shared::object>{all.condition_},
                     which == step::lock ? all.mutex_->head().waits[mutex_object::released]
                                         : all.condition_->word(all.place_),
                     which == step::lock ? mutex_object::released : condition_object::counted_as},
              all_{&all},
              which_{which} {}

        bool attempt() noexcept override { return all_->attempt(which_); }
        [[nodiscard]] bool over() const noexcept override { return all_->is_beyond(which_); }

    private:
        boost::intrusive_ptr<condition_wait> all_;
        step which_;
    };

    static std::exception_ptr cancellation() {
        return std::make_exception_ptr(cancelled_error{"coproc: the wait was cancelled"});
    }

    [[nodiscard]] bool is_beyond(step which) const noexcept {
        const std::scoped_lock hold{changing_};
        return step_ != which;
    }

    /// Not to be called with the mutex held: the service may be about to attempt.
    void begin(step which) noexcept {
        try {
            auto waiting = std::make_shared<part>(*this, which);
            if (!waiting->attempt()) shared::wait_later(std::move(waiting));
        } catch (...) {
            const std::scoped_lock hold{changing_};
            end(std::current_exception());
        }
    }

    bool attempt(step which) noexcept {
        {
            const std::scoped_lock hold{changing_};
            if (step_ != which) return true;
            if (which == step::lock) return try_lock();
            if (!condition_->notified(place_)) return false;
            step_ = step::lock;
        }
        begin(step::lock);
        return true;
    }

    bool try_lock() noexcept {
        try {
            if (!mutex_->attempt()) return false;
            has_lock_ = true;
            end(cancelled_ ? cancellation() : nullptr);
        } catch (...) {
            end(std::current_exception());
        }
        return true;
    }

    void end(std::exception_ptr error) noexcept {
        step_ = step::over;
        if (error != nullptr) {
            give_up_place();
            fail(std::move(error));
            return;
        }
        has_place_ = false;
        condition_->leave(place_);
        succeed();
    }

    void give_up_place() noexcept {
        if (std::exchange(has_place_, false)) condition_->abandon(place_);
    }
    void notify_another() noexcept { condition_->notify(1); }

    const std::shared_ptr<condition_object> condition_;
    const std::shared_ptr<mutex_object> mutex_;
    held_guard guard_;
    const unsigned place_;
    mutable std::mutex changing_;
    step step_ = step::notification;
    bool has_place_ = true;
    bool has_lock_ = false; // again
    bool cancelled_ = false;
};

template <>
int handle_access::descriptor(const condition& handle) {
    return handle.object_->descriptor();
}
template <>
condition handle_access::adopt(int descriptor) {
    return condition{shared::adopt<condition_object>(os::unique_fd{descriptor})};
}

} // namespace detail

using detail::condition_object;

condition::condition() : object_{detail::shared::create<condition_object>()} {}

void condition::notify_all() const { wake(std::numeric_limits<std::size_t>::max()); }

void condition::wake(std::size_t n) const { object_->notify(n); }

bool condition::wait_until(const detail::held_lock& lock,
                           const std::optional<detail::steady::time_point>& until) const {
    return object_->wait(lock, until);
}

detail::state_ptr<void> condition::start_wait(const detail::held_lock& lock) const {
    boost::intrusive_ptr<detail::condition_wait> waiting{new detail::condition_wait{object_, lock}};
    waiting->start();
    return waiting;
}

} // namespace coproc
