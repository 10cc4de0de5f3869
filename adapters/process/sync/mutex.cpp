// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/mutex.hpp>

#include <coproc/error.hpp>

#include <shared/wait_service.hpp>
#include <stdexcept>
#include <sync/mutex_object.hpp>

namespace coproc {
namespace detail {

bool mutex_object::attempt() {
    auto& owner = state<words>().owner;
    std::uint32_t seen = 0;
    if (owner.compare_exchange_strong(seen, self() + 1)) return true;
    if (seen != died || !owner.compare_exchange_strong(seen, 0)) return false;
    wake(released, 1);
    throw owner_died_error{"coproc: a process died while it held this mutex; what the mutex "
                           "protects may be half changed. It is not locked now and works again"};
}

bool mutex_object::try_lock() {
    if (attempt()) return true;
    bury_dead();
    return attempt();
}

bool mutex_object::held_here() const noexcept {
    return state<words>().owner.load(std::memory_order_relaxed) == self_if_party() + 1;
}

void mutex_object::unlock() {
    if (!held_here())
        throw std::logic_error{"coproc: unlock of a mutex that is not held by this process"};
    state<words>().owner.store(0);
    wake(released, 1);
}

void mutex_object::repair(shared::party& dead) noexcept {
    std::uint32_t seen = index_of(dead) + 1;
    state<words>().owner.compare_exchange_strong(seen, died);
}

namespace {

struct lock_attempt {
    mutex_object& object;

    bool operator()(operation<void>& waiting) const {
        if (!object.attempt()) return false;
        waiting.succeed();
        return true;
    }
    void undo(operation<void>& /*waiting*/) const noexcept {
        if (object.held_here()) object.unlock();
    }
};

} // namespace

template <>
int handle_access::descriptor(const mutex& handle) {
    return handle.object_->descriptor();
}
template <>
mutex handle_access::adopt(int descriptor) {
    return mutex{shared::adopt<mutex_object>(os::unique_fd{descriptor})};
}

} // namespace detail

mutex::mutex() : object_{detail::shared::create<detail::mutex_object>()} {}

void mutex::lock() const {
    if (object_->attempt()) return;
    object_->wait(detail::mutex_object::released, {}, [&] { return object_->attempt(); });
}

bool mutex::try_lock() const { return object_->try_lock(); }

bool mutex::try_lock_for(duration timeout) const {
    return object_->attempt() ||
           object_->wait(detail::mutex_object::released, detail::deadline_after(timeout),
                         [&] { return object_->attempt(); });
}

void mutex::unlock() const { object_->unlock(); }

detail::state_ptr<void> mutex::start_lock(std::shared_ptr<detail::mutex_object> object) {
    auto& o = *object;
    return detail::shared::start_waiting<void>(std::move(object), detail::mutex_object::released,
                                               detail::lock_attempt{o});
}

} // namespace coproc
