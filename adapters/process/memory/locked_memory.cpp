// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/locked_memory.hpp>

#include <coproc/detail/byte_queue.hpp>
#include <coproc/error.hpp>
#include <os/limits.hpp>

#include <cstring>
#include <limits>
#include <memory/locked_object.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace coproc::detail {
namespace {

const void* this_thread() noexcept {
    thread_local const char mark = 0;
    return &mark;
}

shared::kind noun_of(locked_memory::content what) noexcept {
    return what == locked_memory::content::value ? shared::kind::value : shared::kind::array;
}

constexpr std::size_t round_up(std::size_t n) noexcept { return (n + 1023) / 1024 * 1024; }

/// Better an exception now than a process that the system kills for touching it later.
void require_memory(std::size_t bytes) {
    constexpr std::size_t large = std::size_t{64} << 20;
    if (bytes >= large && bytes > os::available_memory())
        throw std::length_error{"coproc: shared memory of " + std::to_string(bytes) +
                                " bytes does not fit into the memory that is left"};
}

std::uint64_t number_of(const std::type_info& type) noexcept { return type_number(type.name()); }

} // namespace

// --- the object ----------------------------------------------------------------------------------

shared::create_tag locked_object::layout(locked_memory::content what, std::uint64_t type,
                                         std::size_t bytes) {
    const bool twice = what == locked_memory::content::value;
    return {.what = noun_of(what),
            .type = type,
            .extra = bytes <= small_size ? 0
                     : twice             ? 2 * round_up(bytes)
                                         : bytes};
}

locked_object::locked_object(locked_memory::content what, std::uint64_t type, std::size_t bytes)
    : object{layout(what, type, bytes)} {
    state<words>().bytes.store(bytes);
}

locked_object::locked_object(os::unique_fd memory, locked_memory::content what, std::uint64_t type)
    : object{shared::adopt_tag{std::move(memory), noun_of(what), type}} {}

std::size_t locked_object::size() const noexcept {
    return static_cast<std::size_t>(state<words>().bytes.load(std::memory_order_relaxed));
}

std::byte* locked_object::data() const noexcept {
    return size() <= small_size ? base() + small_offset : extra();
}

std::byte* locked_object::second() const noexcept { return data() + round_up(size()); }

bool locked_object::held_by_this_thread() const noexcept {
    return thread_.load(std::memory_order_relaxed) == this_thread() &&
           (state<words>().owner.load(std::memory_order_relaxed) & ~in_operation) ==
               self_if_party() + 1;
}

bool locked_object::acquire(std::uint32_t flag, shared::deadline until) {
    auto& owner = state<words>().owner;
    const auto attempt = [&] {
        std::uint32_t seen = 0;
        if (owner.compare_exchange_strong(seen, (self() + 1) | flag)) return true;
        if (seen != died || !owner.compare_exchange_strong(seen, 0)) return false;
        wake(released, 1);
        throw owner_died_error{
            "coproc: a process died while it held the lock of this shared memory; what lies in it "
            "may be half changed. It is not locked now and works again"};
    };
    if (!attempt() && !wait(released, until, attempt)) return false;
    depth_ = 1;
    thread_.store(this_thread(), std::memory_order_relaxed);
    return true;
}

bool locked_object::lock(shared::deadline until) {
    if (!held_by_this_thread()) return acquire(0, until);
    ++depth_;
    return true;
}

void locked_object::begin_operation() {
    if (held_by_this_thread())
        ++depth_;
    else
        acquire(in_operation, {});
}

void locked_object::unlock() noexcept {
    if (!held_by_this_thread()) return; // the copy that a fork made of a guard
    if (--depth_ != 0) return;
    thread_.store(nullptr, std::memory_order_relaxed);
    state<words>().owner.store(0);
    wake(released, 1);
}

void locked_object::replace(const void* value) noexcept {
    std::memcpy(second(), value, size());
    state<words>().replacing.store(1, std::memory_order_release);
    finish_replacing();
}

void locked_object::finish_replacing() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::memcpy(data(), second(), size());
    state<words>().replacing.store(0, std::memory_order_release);
}

void locked_object::repair(shared::party& dead) noexcept {
    auto& w = state<words>();
    std::uint32_t seen = w.owner.load();
    if (seen == died || (seen & ~in_operation) != index_of(dead) + 1) return;
    if (w.replacing.load(std::memory_order_acquire) != 0) finish_replacing();
    w.owner.store((seen & in_operation) != 0 ? 0 : died);
}

// --- the handle ----------------------------------------------------------------------------------

std::size_t checked_count(bool negative, std::uintmax_t n, std::size_t size_of_one) {
    if (negative)
        throw std::invalid_argument{"coproc: the size of a shared_array must not be negative"};
    if (n > std::numeric_limits<std::ptrdiff_t>::max() / size_of_one)
        throw std::length_error{"coproc: a shared_array of " + std::to_string(n) +
                                " elements is larger than any memory"};
    return static_cast<std::size_t>(n);
}

void beyond_array(std::size_t index, std::size_t size) {
    throw std::out_of_range{"coproc: element " + std::to_string(index) + " of a shared_array of " +
                            std::to_string(size)};
}

locked_memory::locked_memory(std::shared_ptr<locked_object> object, std::size_t size) noexcept
    : object_{std::move(object)}, data_{object_->data()}, size_{size} {}

locked_memory::locked_memory(content what, const std::type_info& type, std::size_t bytes) {
    require_memory(bytes);
    object_ = shared::create<locked_object>(what, number_of(type), bytes);
    data_ = object_->data();
    size_ = bytes;
}

void locked_memory::lock() const { object_->lock({}); }
bool locked_memory::try_lock() const {
    return object_ == nullptr || object_->lock(steady::time_point::min());
}
bool locked_memory::try_lock_for(duration timeout) const {
    return object_ == nullptr || object_->lock(deadline_after(timeout));
}
void locked_memory::begin_operation() const { object_->begin_operation(); }
void locked_memory::unlock() const noexcept { object_->unlock(); }

void locked_memory::load(void* to) const {
    const locked_object::operation held{*object_};
    std::memcpy(to, data_, size_);
}

void locked_memory::exchange(const void* desired, void* previous) const {
    const locked_object::operation held{*object_};
    if (previous != nullptr) std::memcpy(previous, data_, size_);
    object_->replace(desired);
}

bool locked_memory::compare_exchange(void* expected, const void* desired) const {
    const locked_object::operation held{*object_};
    if (std::memcmp(data_, expected, size_) == 0) {
        object_->replace(desired);
        return true;
    }
    std::memcpy(expected, data_, size_);
    return false;
}

void locked_memory::size(sizer& s, const locked_memory& memory) {
    s.bytes(1);
    if (memory) s.descriptor();
}

void locked_memory::encode(writer& w, const locked_memory& memory) {
    w.raw(static_cast<std::uint8_t>(memory ? 1 : 0));
    if (memory) w.descriptor(memory.object_->descriptor(), memory.object_->identity());
}

locked_memory locked_memory::decode(reader& r, content what, const std::type_info& type,
                                    std::size_t size_of_one) {
    if (r.raw<std::uint8_t>() == 0) return {};
    auto object = std::dynamic_pointer_cast<locked_object>(
        std::static_pointer_cast<shared::object>(r.take_kept()));
    if (object == nullptr) {
        os::unique_fd memory{r.descriptor()};
        object = shared::adopt<locked_object>(std::move(memory), what, number_of(type));
    }
    object->require_type(number_of(type));
    const std::size_t size = object->size();
    if (size % size_of_one != 0)
        throw serialization_error{"coproc: a handle arrived whose memory has another size than its "
                                  "type says"};
    r.keep(std::shared_ptr<shared::object>{object});
    return {std::move(object), size};
}

} // namespace coproc::detail
