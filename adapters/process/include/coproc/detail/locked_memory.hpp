// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What shared_value and shared_array are without the type of what lies in them: memory of a fixed
// size, and a lock.

#include <coproc/codec.hpp>
#include <coproc/duration.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <typeinfo>
#include <utility>

namespace coproc::detail {

class locked_object;

/// How many there are to be, of any integral type.
template <class N>
concept element_count = std::integral<N> && !std::same_as<N, bool>;

/// Throws std::invalid_argument if negative, std::length_error if more than memory.
std::size_t checked_count(bool negative, std::uintmax_t n, std::size_t size_of_one);

template <element_count N>
std::size_t checked_count(N n, std::size_t size_of_one) {
    return checked_count(std::cmp_less(n, 0), static_cast<std::uintmax_t>(n), size_of_one);
}

/// Throws std::out_of_range.
[[noreturn]] void beyond_array(std::size_t index, std::size_t size);

/// A handle. Thread safe.
class locked_memory {
public:
    enum class content { value, array };

    /// None.
    locked_memory() noexcept = default;
    /// Zeros. Throws std::length_error if memory does not suffice, std::system_error.
    locked_memory(content what, const std::type_info& type, std::size_t bytes);

    /// Aligned to 1024 bytes.
    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

    /// The lock is the calling thread's, which may lock again. Throws owner_died_error.
    void lock() const;
    /// False if another has it now, or still has it when the time is up. They throw as lock().
    /// True without memory.
    [[nodiscard]] bool try_lock() const;
    [[nodiscard]] bool try_lock_for(duration timeout) const;
    /// lock() for a moment, after which nothing is half changed: a death meanwhile is no news.
    void begin_operation() const;
    void unlock() const noexcept; ///< ends either

    // For values that no instruction reads or writes at once: each waits for the lock, unless this
    // thread has it, and happens all or not at all. They throw owner_died_error.
    void load(void* to) const;
    void exchange(const void* desired, void* previous) const;
    /// False, and `expected` is what is there, if that is something else.
    bool compare_exchange(void* expected, const void* desired) const;

    static void size(sizer& s, const locked_memory& memory);
    static void encode(writer& w, const locked_memory& memory);
    static locked_memory decode(reader& r, content what, const std::type_info& type,
                                std::size_t size_of_one);

private:
    locked_memory(std::shared_ptr<locked_object> object, std::size_t size) noexcept;

    std::shared_ptr<locked_object> object_;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Holds the lock, if there is memory.
class memory_lock {
public:
    enum class purpose { access, operation, taken };

    /// `taken`: the caller has locked it, for this to unlock.
    explicit memory_lock(locked_memory memory, purpose what = purpose::access)
        : memory_{std::move(memory)} {
        if (!memory_ || what == purpose::taken) return;
        if (what == purpose::access)
            memory_.lock();
        else
            memory_.begin_operation();
    }
    memory_lock(memory_lock&& other) noexcept : memory_{std::exchange(other.memory_, {})} {}
    memory_lock& operator=(memory_lock&& other) noexcept {
        memory_lock last{std::move(other)};
        std::swap(memory_, last.memory_);
        return *this;
    }
    ~memory_lock() {
        if (memory_) memory_.unlock();
    }

private:
    locked_memory memory_;
};

/// A guard of memory that has just been locked, if it has.
template <class Guard, class What>
std::optional<Guard> held_if(bool locked, const locked_memory& memory, What what) {
    if (!locked) return {};
    return Guard{memory, what, memory_lock::purpose::taken};
}

} // namespace coproc::detail
