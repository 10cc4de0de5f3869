// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/locked_memory.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc {

namespace detail {

template <class T>
inline constexpr bool is_shared_atomic = false;
template <class U>
inline constexpr bool is_shared_atomic<std::atomic<U>> =
    std::atomic<U>::is_always_lock_free && !std::is_pointer_v<U>;

} // namespace detail

/// The elements of a shared_array, and its lock as long as this exists. To be destroyed by the
/// thread that made it; what is moved from holds nothing.
template <class T>
class [[nodiscard]] locked_array {
public:
    [[nodiscard]] std::span<T> span() const noexcept { return span_; }
    [[nodiscard]] std::span<T> operator*() const noexcept { return span_; }
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return span_[i]; }
    [[nodiscard]] T* data() const noexcept { return span_.data(); }
    [[nodiscard]] T* begin() const noexcept { return data(); }
    [[nodiscard]] T* end() const noexcept { return data() + size(); }
    [[nodiscard]] std::size_t size() const noexcept { return span_.size(); }

    /// For the library.
    using purpose = detail::memory_lock::purpose;
    locked_array(const detail::locked_memory& memory, std::span<T> span,
                 purpose what = purpose::access)
        : lock_{memory, what}, span_{span} {}

private:
    detail::memory_lock lock_;
    std::span<T> span_;
};

/// A contiguous range of fixed length in memory that processes share, and a lock. A handle: copies
/// are one array, and const ones too: `auto b = a; b[0] = 1;`. Sending it copies nothing: the other
/// process has the same memory, for as long as anyone has a handle, whoever made it.
///
///     coproc::shared_array<double> field(1'000'000);
///     pool.map([](coproc::shared_array<double> field, int row) { ... }, ...);
///
/// Elements are trivially copyable, or lock-free std::atomic. Access to them is not synchronised:
/// use lock(), or atomics, or let everyone have their own. When a process dies that holds lock(),
/// the next one to lock gets owner_died_error, once: the elements may be half changed.
/// Thread safety: of the handle, full.
template <class T>
class shared_array {
    static_assert((std::is_trivially_copyable_v<T> || detail::is_shared_atomic<T>) &&
                      !std::is_const_v<T>,
                  "coproc: a shared_array lies in the memory of several processes: its elements "
                  "must be trivially copyable (no strings, containers or handles) or lock-free "
                  "atomics, and not const");
    static_assert(!std::is_pointer_v<T>,
                  "coproc: a pointer means nothing in another process: share the objects");
    static_assert(alignof(T) <= 1024, "coproc: a shared_array is aligned to 1024 bytes at most");

public:
    using element_type = T;                 ///< as std::span has it
    using value_type = T;                   ///< as std::span has it
    using size_type = std::size_t;          ///< as std::span has it
    using difference_type = std::ptrdiff_t; ///< as std::span has it
    using reference = T&;                   ///< as std::span has it
    using pointer = T*;                     ///< as std::span has it
    using iterator = T*;                    ///< as std::span has it

    /// Empty.
    shared_array() noexcept = default;
    /// `n` elements T{}. *Exceptions*: std::invalid_argument if negative; std::length_error if
    /// there is not as much memory; std::system_error when there is no descriptor.
    template <detail::element_count N>
    explicit shared_array(N n)
        : memory_{detail::locked_memory::content::array, typeid(T),
                  detail::checked_count(n, sizeof(T)) * sizeof(T)} {
        // What is all zeros is there already, and costs memory only once it is touched.
        if constexpr (!std::is_trivially_default_constructible_v<T>)
            std::uninitialized_value_construct(begin(), end());
    }
    /// `n` copies of `x`. *Exceptions*: as above.
    template <detail::element_count N>
    shared_array(N n, const T& x)
        requires std::is_trivially_copyable_v<T>
        : shared_array{n} {
        std::ranges::fill(*this, x);
    }
    /// The elements of a range: `shared_array<int> a(numbers);`. *Exceptions*: as above, and what
    /// the range throws.
    template <std::ranges::input_range Range>
        requires(!std::same_as<std::remove_cvref_t<Range>, shared_array> &&
                 std::convertible_to<std::ranges::range_reference_t<Range>, T> &&
                 !std::is_array_v<std::remove_cvref_t<Range>>)
    explicit shared_array(Range&& range) : shared_array{length(range)} {
        if constexpr (measurable<Range>) {
            auto at = begin();
            for (auto&& x : range)
                *at++ = std::forward<decltype(x)>(x);
        } else {
            std::vector<T> read;
            for (auto&& x : range)
                read.push_back(std::forward<decltype(x)>(x));
            *this = shared_array{read.size()};
            std::ranges::copy(read, begin());
        }
    }
    /// These: `shared_array<int> a({1, 2, 3});`. (Not `a{1, 2}`: that is one element 2.)
    template <std::size_t N>
    explicit shared_array(const T (&values)[N]) : shared_array{N} {
        std::ranges::copy(values, begin());
    }
    /// The same array. (There is no move: what is moved from stays usable.)
    shared_array(const shared_array&) noexcept = default;
    shared_array& operator=(const shared_array&) noexcept = default;
    ~shared_array() = default;

    [[nodiscard]] T* begin() const noexcept { return data(); }
    [[nodiscard]] T* end() const noexcept { return data() + size(); }
    [[nodiscard]] T* data() const noexcept { return reinterpret_cast<T*>(memory_.data()); }
    [[nodiscard]] std::size_t size() const noexcept { return memory_.size() / sizeof(T); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// Unchecked.
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return data()[i]; }
    /// *Exceptions*: std::out_of_range.
    [[nodiscard]] T& at(std::size_t i) const {
        if (i >= size()) detail::beyond_array(i, size());
        return data()[i];
    }
    /// Valid as long as there is a handle.
    [[nodiscard]] std::span<T> span() const noexcept { return {data(), size()}; }

    /// Keeps others out who lock it too: `auto g = a.lock(); for (auto& x : g) ++x;`. A thread may
    /// do so again while it does. Not across a co_await: the lock is the thread's. *Exceptions*:
    /// owner_died_error, and the lock is not held then.
    locked_array<T> lock() const { return {memory_, span()}; }
    /// The same if nobody else holds it now; else empty. *Exceptions*: as lock().
    [[nodiscard]] std::optional<locked_array<T>> try_lock() const {
        return detail::held_if<locked_array<T>>(memory_.try_lock(), memory_, span());
    }
    /// The same, empty if others still hold it when the time is up. There is no awaitable form: a
    /// coroutine may resume on another thread, and would not have the lock there. *Exceptions*: as
    /// lock().
    [[nodiscard]] std::optional<locked_array<T>> try_lock_for(duration timeout) const {
        return detail::held_if<locked_array<T>>(memory_.try_lock_for(timeout), memory_, span());
    }

private:
    friend struct codec<shared_array>;
    explicit shared_array(detail::locked_memory memory) noexcept : memory_{std::move(memory)} {}

    template <class Range>
    static constexpr bool measurable =
        std::ranges::sized_range<Range> || std::ranges::forward_range<Range>;
    template <class Range>
    static std::size_t length(Range& range) {
        if constexpr (std::ranges::sized_range<Range>)
            return static_cast<std::size_t>(std::ranges::size(range));
        else if constexpr (std::ranges::forward_range<Range>)
            return static_cast<std::size_t>(std::ranges::distance(range));
        else
            return 0;
    }

    detail::locked_memory memory_;
};

/// The element type of a range: `coproc::shared_array a(numbers);`.
template <std::ranges::input_range Range>
explicit shared_array(Range&&) -> shared_array<std::ranges::range_value_t<Range>>;

/// Travels as a handle of the same array.
template <class T>
struct codec<shared_array<T>> {
    using parts = detail::types<>;

    static void size(detail::sizer& s, const shared_array<T>& a) {
        detail::locked_memory::size(s, a.memory_);
    }
    static void encode(detail::writer& w, const shared_array<T>& a) {
        detail::locked_memory::encode(w, a.memory_);
    }
    static shared_array<T> decode(detail::reader& r) {
        using memory = detail::locked_memory;
        return shared_array<T>{memory::decode(r, memory::content::array, typeid(T), sizeof(T))};
    }
};

} // namespace coproc
