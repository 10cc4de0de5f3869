// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/locked.hpp>

#include <concepts>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coproc::detail::threads {

template <class T>
struct value_core {
    explicit value_core(T x) : value(std::move(x)) {}

    recursive_core lock;
    T value;
};

/// As std::atomic compares: bit by bit, but for classes that say themselves what is equal.
template <class T>
bool same_value(const T& a, const T& b) {
    if constexpr (std::is_class_v<T> && std::equality_comparable<T>)
        return a == b;
    else
        return std::memcmp(&a, &b, sizeof(T)) == 0;
}

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// The value of a shared_value, and its lock as long as this exists. To be destroyed by the thread
/// that made it; what is moved from holds nothing.
template <class T>
class [[nodiscard]] locked_value {
public:
    [[nodiscard]] T& operator*() const noexcept { return core_->value; }
    [[nodiscard]] T* operator->() const noexcept { return &core_->value; }

    /// For the library.
    using holder = detail::threads::locked<detail::threads::value_core<T>>;
    explicit locked_value(holder core) : core_{std::move(core)} {}

private:
    holder core_;
};

/// coproc::shared_value among the threads of one program: a value of any copyable type, and a lock.
/// A handle, whose copies are one value.
///
/// Each operation below is atomic, with respect to all others and to those who hold lock(): it
/// waits for these. Who holds lock() may use the operations too, on the same thread. All of them
/// are sequentially consistent. Thread safety: full.
template <class T>
class shared_value {
    static_assert(std::copy_constructible<T> && !std::is_const_v<T>,
                  "coproc: a shared_value is of a copyable type");

public:
    using value_type = T; ///< of what it holds

    /// T{}.
    shared_value()
        requires std::default_initializable<T>
        : shared_value{T{}} {}
    /// A new value, at first `x`.
    explicit shared_value(T x)
        : core_{std::make_shared<detail::threads::value_core<T>>(std::move(x))} {}
    /// The same value. (There is no move: what is moved from stays usable.)
    shared_value(const shared_value&) noexcept = default;
    shared_value& operator=(const shared_value&) noexcept = default;
    ~shared_value() = default;

    /// A copy of the value.
    [[nodiscard]] T load() const { return *lock(); }
    /// Sets the value.
    void store(T x) const { *lock() = std::move(x); }
    /// Sets the value, and returns what it was before.
    T exchange(T x) const {
        const auto held = lock();
        return std::exchange(*held, std::move(x));
    }
    /// Sets the value to `desired` if it is `expected`, else `expected` to the value. True if it
    /// was. Compares bit by bit as std::atomic does, classes by their == if they have one.
    bool compare_exchange_strong(T& expected, T desired) const {
        const auto held = lock();
        if (detail::threads::same_value<T>(*held, expected)) {
            *held = std::move(desired);
            return true;
        }
        expected = *held;
        return false;
    }
    /// The same; it does not fail without a reason here.
    bool compare_exchange_weak(T& expected, T desired) const {
        return compare_exchange_strong(expected, std::move(desired));
    }

    /// Adds, and returns what the value was before. Integers wrap around.
    T fetch_add(T x) const
        requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
    {
        return change([x](T old) {
            if constexpr (std::is_integral_v<T>)
                return static_cast<T>(bits(old) + bits(x));
            else
                return old + x;
        });
    }
    /// Subtracts, and returns what the value was before. Integers wrap around.
    T fetch_sub(T x) const
        requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
    {
        return change([x](T old) {
            if constexpr (std::is_integral_v<T>)
                return static_cast<T>(bits(old) - bits(x));
            else
                return old - x;
        });
    }
    /// Sets it to the bitwise and, and returns what it was before.
    T fetch_and(T x) const
        requires(std::integral<T> && !std::same_as<T, bool>)
    {
        return change([x](T old) { return static_cast<T>(old & x); });
    }
    /// Sets it to the bitwise or, and returns what it was before.
    T fetch_or(T x) const
        requires(std::integral<T> && !std::same_as<T, bool>)
    {
        return change([x](T old) { return static_cast<T>(old | x); });
    }
    /// Sets it to the bitwise exclusive or, and returns what it was before.
    T fetch_xor(T x) const
        requires(std::integral<T> && !std::same_as<T, bool>)
    {
        return change([x](T old) { return static_cast<T>(old ^ x); });
    }

    /// Holds the value for more than one operation: `auto g = v.lock(); *g += 1;`. A thread may do
    /// so again while it does. Not across a co_await: the lock is the thread's.
    locked_value<T> lock() const { return locked_value<T>{holder{core_}}; }
    /// The same if nobody else holds it now; else empty.
    [[nodiscard]] std::optional<locked_value<T>> try_lock() const {
        return held_at(detail::steady::time_point::min());
    }
    /// The same, empty if others still hold it when the time is up. There is no awaitable form: a
    /// coroutine may resume on another thread, and would not have the lock there.
    [[nodiscard]] std::optional<locked_value<T>> try_lock_for(duration timeout) const {
        return held_at(detail::deadline_after(timeout));
    }

private:
    /// In an unsigned type that is not promoted to a signed one.
    static constexpr auto bits(T x) noexcept {
        return static_cast<std::common_type_t<std::make_unsigned_t<T>, unsigned>>(x);
    }
    template <class F>
    T change(F&& f) const {
        const auto held = lock();
        return std::exchange(*held, f(*held));
    }

    using holder = typename locked_value<T>::holder;
    std::optional<locked_value<T>> held_at(const detail::threads::deadline& until) const {
        auto core = holder::until(core_, until);
        if (!core) return {};
        return locked_value<T>{*std::move(core)};
    }

    std::shared_ptr<detail::threads::value_core<T>> core_;
};

} // namespace coproc::dummy
