// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/recursive_mutex.hpp>

#include <coproc/error.hpp>

#include <stdexcept>
#include <sync/recursive_mutex_object.hpp>
#include <system_error>

namespace coproc {
namespace detail {
namespace {

constexpr unsigned party_shift = 48;
constexpr unsigned depth_shift = 32;
constexpr std::uint64_t one_level = std::uint64_t{1} << depth_shift;

/// Not the system's number, which the child of a fork has to ask for anew.
std::uint32_t this_thread() noexcept {
    static std::atomic<std::uint32_t> threads{0};
    thread_local const std::uint32_t number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
    return number;
}

unsigned depth_of(std::uint64_t owner) noexcept {
    return static_cast<unsigned>(owner >> depth_shift & 0xffff);
}
std::uint64_t without_depth(std::uint64_t owner) noexcept { return owner & ~(one_level * 0xffff); }

} // namespace

std::uint64_t recursive_mutex_object::calling_thread() const noexcept {
    return std::uint64_t{self_if_party() + 1} << party_shift | this_thread();
}

bool recursive_mutex_object::held_here() const noexcept {
    const auto seen = state<words>().owner.load(std::memory_order_relaxed);
    return seen != 0 && without_depth(seen) == calling_thread();
}

bool recursive_mutex_object::attempt() {
    static_cast<void>(self());
    const auto mine = calling_thread();
    auto& owner = state<words>().owner;
    std::uint64_t seen = 0;
    if (owner.compare_exchange_strong(seen, mine + one_level)) return true;
    if (seen == died) {
        if (!owner.compare_exchange_strong(seen, 0)) return false;
        wake(released, 1);
        throw owner_died_error{"coproc: a process died while it held this recursive_mutex; what "
                               "it protects may be half changed. It is not locked now and works "
                               "again"};
    }
    if (without_depth(seen) != mine) return false;
    if (depth_of(seen) == most_levels)
        throw std::system_error{std::make_error_code(std::errc::resource_unavailable_try_again),
                                "coproc: this thread holds the recursive_mutex 65535 times"};
    owner.store(seen + one_level); // nobody else changes it
    return true;
}

bool recursive_mutex_object::try_lock() {
    if (attempt()) return true;
    bury_dead();
    return attempt();
}

void recursive_mutex_object::unlock() {
    if (!held_here())
        throw std::logic_error{"coproc: unlock of a recursive_mutex that is not held by this "
                               "thread: it is owned by the thread that locked it"};
    auto& owner = state<words>().owner;
    const auto seen = owner.load(std::memory_order_relaxed);
    if (depth_of(seen) > 1) {
        owner.store(seen - one_level);
        return;
    }
    owner.store(0);
    wake(released, 1);
}

unsigned recursive_mutex_object::unlock_all() {
    auto& owner = state<words>().owner;
    const auto depth = depth_of(owner.load(std::memory_order_relaxed));
    owner.store(0);
    wake(released, 1);
    return depth;
}

void recursive_mutex_object::relock(unsigned depth) {
    wait(released, {}, [&] { return attempt(); });
    state<words>().owner.store(calling_thread() + one_level * depth);
}

void recursive_mutex_object::repair(shared::party& dead) noexcept {
    auto& owner = state<words>().owner;
    auto seen = owner.load();
    // Its party cannot change it any more, and nobody else takes what is not free.
    if (seen != died && seen >> party_shift == index_of(dead) + 1) owner.store(died);
}

template <>
int handle_access::descriptor(const recursive_mutex& handle) {
    return handle.object_->descriptor();
}
template <>
recursive_mutex handle_access::adopt(int descriptor) {
    return recursive_mutex{shared::adopt<recursive_mutex_object>(os::unique_fd{descriptor})};
}

} // namespace detail

recursive_mutex::recursive_mutex()
    : object_{detail::shared::create<detail::recursive_mutex_object>()} {}

void recursive_mutex::lock() const {
    object_->wait(detail::recursive_mutex_object::released, {}, [&] { return object_->attempt(); });
}

bool recursive_mutex::try_lock() const { return object_->try_lock(); }

bool recursive_mutex::try_lock_for(duration timeout) const {
    return object_->wait(detail::recursive_mutex_object::released, detail::deadline_after(timeout),
                         [&] { return object_->attempt(); });
}

void recursive_mutex::unlock() const { object_->unlock(); }

} // namespace coproc
