// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/locked_memory.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coproc {

/// The value of a shared_value, and its lock as long as this exists. To be destroyed by the thread
/// that made it; what is moved from holds nothing.
template <class T>
class [[nodiscard]] locked_value {
public:
    [[nodiscard]] T& operator*() const noexcept { return *value_; }
    [[nodiscard]] T* operator->() const noexcept { return value_; }

    /// For the library.
    using purpose = detail::memory_lock::purpose;
    locked_value(const detail::locked_memory& memory, T* value, purpose what = purpose::access)
        : lock_{memory, what}, value_{value} {}

private:
    detail::memory_lock lock_;
    T* value_;
};

/// A value that processes share, and a lock: of any trivially copyable type. A handle: copies refer
/// to the same value, also those that travelled to another process in a job's arguments, a queue or
/// a pipe. The value lives as long as there is a handle.
///
///     coproc::shared_value<int> done{0};
///     pool.map([](coproc::shared_value<int> done, int i) { ...; done.fetch_add(1); }, ...);
///
/// Each operation below is atomic with respect to the others, sequentially consistent, and a death
/// at any instruction leaves either the old value or the new one. Types that the machine changes by
/// itself (`is_always_lock_free`: up to eight bytes) need no lock for that, so that operations do
/// not wait for those who hold lock(), and these would overwrite what happens meanwhile: let all
/// use operations, or all use lock(). With larger types operations wait for the lock. Who holds
/// lock() may use the operations too, on the same thread.
///
/// When a process dies that holds lock(), the next one to lock (of a larger type also: the next
/// operation) gets owner_died_error, once: the value may be half changed. Thread safe.
template <class T>
class shared_value {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T>,
                  "coproc: a shared_value lies in the memory of several processes: its type must "
                  "be trivially copyable (no strings, containers or handles), and not const");
    static_assert(!std::is_pointer_v<T>,
                  "coproc: a pointer means nothing in another process: share the object itself");
    static_assert(alignof(T) <= 1024, "coproc: a shared_value is aligned to 1024 bytes at most");

public:
    using value_type = T; ///< of what it holds
    /// Whether the machine changes it by itself.
    static constexpr bool is_always_lock_free = std::atomic_ref<T>::is_always_lock_free;

    /// T{}. *Exceptions*: std::system_error when there is no memory or descriptor.
    shared_value()
        requires std::default_initializable<T>
        : shared_value{T{}} {}
    /// A new value, at first `x`. *Exceptions*: as shared_value().
    explicit shared_value(T x)
        : memory_{detail::locked_memory::content::value, typeid(T), sizeof(T)} {
        std::memcpy(memory_.data(), &x, sizeof(T));
    }
    /// The same value. (There is no move: what is moved from stays usable.)
    shared_value(const shared_value&) noexcept = default;
    shared_value& operator=(const shared_value&) noexcept = default;
    ~shared_value() = default;

    /// A copy of the value.
    [[nodiscard]] T load() const {
        if constexpr (is_always_lock_free) {
            return whole().load().value;
        } else {
            alignas(T) std::byte copy[sizeof(T)];
            memory_.load(copy);
            return *std::launder(reinterpret_cast<T*>(copy));
        }
    }
    /// Sets the value.
    void store(T x) const {
        if constexpr (is_always_lock_free)
            whole().store(cell{x});
        else
            memory_.exchange(&x, nullptr);
    }
    /// Sets the value, and returns what it was before.
    T exchange(T x) const {
        if constexpr (is_always_lock_free) {
            return whole().exchange(cell{x}).value;
        } else {
            alignas(T) std::byte copy[sizeof(T)];
            memory_.exchange(&x, copy);
            return *std::launder(reinterpret_cast<T*>(copy));
        }
    }
    /// Sets the value to `desired` if it is `expected`, else `expected` to the value. True if it
    /// was. Compares bit by bit as std::atomic does, classes by their == if they have one.
    bool compare_exchange_strong(T& expected, T desired) const {
        if constexpr (!std::is_class_v<T> || !std::equality_comparable<T>) {
            if constexpr (is_always_lock_free)
                return replace(expected, desired);
            else
                return memory_.compare_exchange(&expected, &desired);
        } else {
            for (;;) {
                const auto held = operation();
                T seen = load();
                if (!(seen == expected)) {
                    expected = seen;
                    return false;
                }
                if constexpr (!is_always_lock_free) {
                    store(desired);
                    return true;
                } else if (replace(seen, desired)) {
                    return true;
                }
            }
        }
    }
    /// The same; it does not fail without a reason here.
    bool compare_exchange_weak(T& expected, T desired) const {
        return compare_exchange_strong(expected, desired);
    }

    /// Adds, and returns what the value was before. Integers wrap around.
    T fetch_add(T x) const
        requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
    {
        if constexpr (is_always_lock_free)
            return atomic().fetch_add(x);
        else
            return change([x](T old) { return static_cast<T>(old + x); });
    }
    /// Subtracts, and returns what the value was before. Integers wrap around.
    T fetch_sub(T x) const
        requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
    {
        if constexpr (is_always_lock_free)
            return atomic().fetch_sub(x);
        else
            return change([x](T old) { return static_cast<T>(old - x); });
    }
    /// Sets it to the bitwise and, and returns what it was before.
    T fetch_and(T x) const
        requires(std::integral<T> && !std::same_as<T, bool>)
    {
        return atomic().fetch_and(x);
    }
    /// Sets it to the bitwise or, and returns what it was before.
    T fetch_or(T x) const
        requires(std::integral<T> && !std::same_as<T, bool>)
    {
        return atomic().fetch_or(x);
    }
    /// Sets it to the bitwise exclusive or, and returns what it was before.
    T fetch_xor(T x) const
        requires(std::integral<T> && !std::same_as<T, bool>)
    {
        return atomic().fetch_xor(x);
    }

    /// Holds the value for more than one operation: `auto g = v.lock(); *g += 1;`. A thread may do
    /// so again while it does. Not across a co_await: the lock is the thread's. *Exceptions*:
    /// owner_died_error, and the lock is not held then.
    locked_value<T> lock() const { return {memory_, value()}; }
    /// The same if nobody else holds it now; else empty. *Exceptions*: as lock().
    [[nodiscard]] std::optional<locked_value<T>> try_lock() const {
        return detail::held_if<locked_value<T>>(memory_.try_lock(), memory_, value());
    }
    /// The same, empty if others still hold it when the time is up. There is no awaitable form: a
    /// coroutine may resume on another thread, and would not have the lock there. *Exceptions*: as
    /// lock().
    [[nodiscard]] std::optional<locked_value<T>> try_lock_for(duration timeout) const {
        return detail::held_if<locked_value<T>>(memory_.try_lock_for(timeout), memory_, value());
    }

private:
    friend struct codec<shared_value>;
    explicit shared_value(detail::locked_memory memory) noexcept : memory_{std::move(memory)} {}

    [[nodiscard]] T* value() const noexcept { return reinterpret_cast<T*>(memory_.data()); }
    [[nodiscard]] std::atomic_ref<T> atomic() const noexcept {
        return std::atomic_ref<T>{*value()};
    }

    // The value with the alignment that it has here, in its type: for less, clang calls a library
    // which may not be there, also where the machine could do it.
    struct alignas(std::atomic_ref<T>::required_alignment) cell {
        T value;
    };
    [[nodiscard]] std::atomic_ref<cell> whole() const noexcept {
        static_assert(sizeof(cell) == sizeof(T));
        return std::atomic_ref<cell>{*reinterpret_cast<cell*>(memory_.data())};
    }
    bool replace(T& expected, T desired) const noexcept {
        cell seen{expected};
        const bool done = whole().compare_exchange_strong(seen, cell{desired});
        expected = seen.value;
        return done;
    }

    /// Keeps others out for some operations that are to be one, where the machine cannot.
    [[nodiscard]] detail::memory_lock operation() const {
        using detail::memory_lock;
        return memory_lock{is_always_lock_free ? detail::locked_memory{} : memory_,
                           memory_lock::purpose::operation};
    }
    template <class F>
    T change(F&& f) const {
        const auto held = operation();
        const T old = load();
        store(f(old));
        return old;
    }

    detail::locked_memory memory_;
};

/// Travels as a handle of the same value.
template <class T>
struct codec<shared_value<T>> {
    using parts = detail::types<>;

    static void size(detail::sizer& s, const shared_value<T>& v) {
        detail::locked_memory::size(s, v.memory_);
    }
    static void encode(detail::writer& w, const shared_value<T>& v) {
        detail::locked_memory::encode(w, v.memory_);
    }
    static shared_value<T> decode(detail::reader& r) {
        using memory = detail::locked_memory;
        return shared_value<T>{memory::decode(r, memory::content::value, typeid(T), sizeof(T))};
    }
};

} // namespace coproc
