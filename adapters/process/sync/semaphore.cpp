// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/semaphore.hpp>

#include <coproc/bounded_semaphore.hpp>
#include <coproc/detail/forks.hpp>

#include <algorithm>
#include <climits>
#include <limits>
#include <shared/wait_service.hpp>
#include <stdexcept>
#include <string>
#include <sync/semaphore_object.hpp>

namespace coproc {
namespace detail {

semaphore_object::semaphore_object(std::size_t initial, bool bounded)
    : object{shared::create_tag{.what = shared::kind::semaphore}} {
    state<words>().value.store(initial);
    state<words>().most.store(bounded ? initial : std::numeric_limits<std::uint64_t>::max());
}

bool semaphore_object::attempt(owner whose) {
    auto& value = state<words>().value;
    if (value.load() == 0) return false;
    const guard held{*this};
    const auto seen = value.load();
    if (seen == 0) return false;
    if (whose == owner::nobody) {
        value.store(seen - 1);
        return true;
    }
    auto& permits = permits_of(me());
    shared::transaction change{base()};
    change.set(value, seen - 1);
    change.set(permits, permits.load() + 1);
    change.commit();
    return true;
}

bool semaphore_object::try_acquire(owner whose) {
    if (attempt(whose)) return true;
    bury_dead();
    return attempt(whose);
}

void semaphore_object::release(std::size_t n) {
    auto& w = state<words>();
    const auto most = w.most.load();
    {
        const guard held{*this};
        const auto seen = w.value.load();
        if (n > most - seen) {
            if (most == std::numeric_limits<std::uint64_t>::max())
                throw std::logic_error{"coproc: a semaphore cannot count that many units"};
            throw std::logic_error{"coproc: a bounded_semaphore of " + std::to_string(most) +
                                   " was released more often than it was acquired"};
        }
        w.value.store(seen + n);
    }
    wake(units, static_cast<int>(std::min<std::size_t>(n, INT_MAX)));
}

void semaphore_object::give_back() {
    {
        const guard held{*this};
        return_permits(me(), 1);
    }
    wake(units, 1);
}

void semaphore_object::return_permits(shared::party& from, std::uint64_t n) noexcept {
    auto& w = state<words>();
    auto& permits = permits_of(from);
    const auto value = w.value.load();
    shared::transaction change{base()};
    change.set(w.value, value + std::min(n, w.most.load() - value));
    change.set(permits, permits.load() - n);
    change.commit();
}

std::size_t semaphore_object::value() {
    bury_dead();
    return static_cast<std::size_t>(state<words>().value.load());
}

void semaphore_object::repair(shared::party& dead) noexcept {
    if (const auto n = permits_of(dead).load(); n != 0) return_permits(dead, n);
}

namespace {

struct acquire_attempt {
    semaphore_object& object;

    bool operator()(operation<void>& waiting) const {
        if (!object.attempt()) return false;
        waiting.succeed();
        return true;
    }
    void undo(operation<void>& /*waiting*/) const noexcept {
        try {
            object.release(1);
        } catch (const std::logic_error&) {
            // somebody has released it already
        }
    }
};

} // namespace

template <>
int handle_access::descriptor(const semaphore& handle) {
    return handle.object_->descriptor();
}
template <>
semaphore handle_access::adopt(int descriptor) {
    return semaphore{shared::adopt<semaphore_object>(os::unique_fd{descriptor})};
}
template <>
int handle_access::descriptor(const bounded_semaphore& handle) {
    return descriptor(static_cast<const semaphore&>(handle));
}
template <>
bounded_semaphore handle_access::adopt(int descriptor) {
    return bounded_semaphore{shared::adopt<semaphore_object>(os::unique_fd{descriptor})};
}

} // namespace detail

using detail::semaphore_object;

// --- semaphore_permit ----------------------------------------------------------------------------

semaphore_permit::semaphore_permit(std::shared_ptr<semaphore_object> of) noexcept
    : of_{std::move(of)}, fork_generation_{detail::count_forks()} {}

semaphore_permit& semaphore_permit::operator=(semaphore_permit&& other) noexcept {
    if (this != &other) {
        release();
        of_ = std::move(other.of_);
        fork_generation_ = other.fork_generation_;
    }
    return *this;
}

void semaphore_permit::release() noexcept {
    const auto of = std::exchange(of_, nullptr);
    if (of != nullptr && fork_generation_ == detail::count_forks()) of->give_back();
}

// --- semaphore -----------------------------------------------------------------------------------

semaphore::semaphore(std::size_t initial, bool bounded)
    : object_{detail::shared::create<semaphore_object>(initial, bounded)} {}

void semaphore::acquire() const {
    object_->wait(semaphore_object::units, {}, [&] { return object_->attempt(); });
}

bool semaphore::try_acquire() const { return object_->try_acquire(); }

bool semaphore::try_acquire_for(duration timeout) const {
    return object_->wait(semaphore_object::units, detail::deadline_after(timeout),
                         [&] { return object_->attempt(); });
}

void semaphore::add(std::size_t n) const { object_->release(n); }

std::size_t semaphore::value() const { return object_->value(); }

detail::state_ptr<void> semaphore::start_acquire(std::shared_ptr<semaphore_object> object) {
    auto& o = *object;
    return detail::shared::start_waiting<void>(std::move(object), semaphore_object::units,
                                               detail::acquire_attempt{o});
}

semaphore_permit semaphore::permit() const {
    object_->wait(semaphore_object::units, {},
                  [&] { return object_->attempt(semaphore_object::owner::this_process); });
    return semaphore_permit{object_};
}

std::optional<semaphore_permit> semaphore::try_permit() const {
    if (!object_->try_acquire(semaphore_object::owner::this_process)) return {};
    return semaphore_permit{object_};
}

std::optional<semaphore_permit> semaphore::try_permit_for(duration timeout) const {
    const bool got = object_->wait(semaphore_object::units, detail::deadline_after(timeout), [&] {
        return object_->attempt(semaphore_object::owner::this_process);
    });
    if (!got) return {};
    return semaphore_permit{object_};
}

detail::state_ptr<semaphore_permit>
semaphore::start_permit(std::shared_ptr<semaphore_object> object) {
    using waiting = detail::operation<semaphore_permit>;
    struct permit_attempt {
        std::shared_ptr<semaphore_object> object;

        bool operator()(waiting& to) const {
            if (!object->attempt(semaphore_object::owner::this_process)) return false;
            to.succeed(semaphore_permit{object});
            return true;
        }
        void undo(waiting& of) const { of.take().release(); }
    };
    return detail::shared::start_waiting<semaphore_permit>(object, semaphore_object::units,
                                                           permit_attempt{object});
}

} // namespace coproc
