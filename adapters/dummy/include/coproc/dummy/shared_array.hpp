// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/count.hpp>
#include <coproc/dummy/detail/locked.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail::threads {

/// Throws std::length_error.
[[noreturn]] void beyond_memory(std::size_t elements);

/// Elements T{}.
template <class T>
std::unique_ptr<T[]> new_elements(std::size_t n) {
    if (n > std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T)) beyond_memory(n);
    try {
        return std::make_unique<T[]>(n);
    } catch (const std::bad_alloc&) {
        beyond_memory(n);
    }
}

template <class T>
struct array_core {
    explicit array_core(std::size_t n) : values{new_elements<T>(n)}, size{n} {}

    recursive_core lock;
    const std::unique_ptr<T[]> values;
    const std::size_t size;
};

/// Throws std::out_of_range.
[[noreturn]] void beyond_array(std::size_t index, std::size_t size);

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// The elements of a shared_array, and its lock as long as this exists. To be destroyed by the
/// thread that made it; what is moved from holds nothing.
template <class T>
class [[nodiscard]] locked_array {
public:
    [[nodiscard]] std::span<T> span() const noexcept { return {core_->values.get(), core_->size}; }
    [[nodiscard]] std::span<T> operator*() const noexcept { return span(); }
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return core_->values[i]; }
    [[nodiscard]] T* data() const noexcept { return core_->values.get(); }
    [[nodiscard]] T* begin() const noexcept { return data(); }
    [[nodiscard]] T* end() const noexcept { return data() + size(); }
    [[nodiscard]] std::size_t size() const noexcept { return core_->size; }

    /// For the library.
    using holder = detail::threads::locked<detail::threads::array_core<T>>;
    explicit locked_array(holder core) : core_{std::move(core)} {}

private:
    holder core_;
};

/// coproc::shared_array among the threads of one program: a contiguous range of fixed length, and a
/// lock. A handle, whose copies are one array, and const ones too: `auto b = a; b[0] = 1;`.
///
/// Access to the elements is not synchronised: use lock(), or let everyone have their own. Thread
/// safety: of the handle, full.
template <class T>
class shared_array {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                  "coproc: the elements of a shared_array are objects, and not const");

public:
    using element_type = T;                 ///< as std::span has it
    using value_type = T;                   ///< as std::span has it
    using size_type = std::size_t;          ///< as std::span has it
    using difference_type = std::ptrdiff_t; ///< as std::span has it
    using reference = T&;                   ///< as std::span has it
    using pointer = T*;                     ///< as std::span has it
    using iterator = T*;                    ///< as std::span has it

    /// Empty.
    shared_array() : shared_array{std::size_t{0}} {}
    /// `n` elements T{}. *Exceptions*: std::invalid_argument if negative; std::length_error if
    /// there is not as much memory; what T{} throws.
    template <detail::count N>
    explicit shared_array(N n)
        : core_{std::make_shared<detail::threads::array_core<T>>(
              detail::count_of(n, "the size of a shared_array"))} {}
    /// `n` copies of `x`. *Exceptions*: as above, and what copying throws.
    template <detail::count N>
    shared_array(N n, const T& x) : shared_array{n} {
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
            std::ranges::move(read, begin());
        }
    }
    /// These: `shared_array<int> a({1, 2, 3});`. (Not `a{1, 2}`: that is one element 2.)
    /// *Exceptions*: as above.
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
    [[nodiscard]] T* data() const noexcept { return core_->values.get(); }
    [[nodiscard]] std::size_t size() const noexcept { return core_->size; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// Unchecked.
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return data()[i]; }
    /// *Exceptions*: std::out_of_range.
    [[nodiscard]] T& at(std::size_t i) const {
        if (i >= size()) detail::threads::beyond_array(i, size());
        return data()[i];
    }
    [[nodiscard]] std::span<T> span() const noexcept { return {data(), size()}; }

    /// Keeps others out who lock it too: `auto g = a.lock(); for (auto& x : g) ++x;`. A thread may
    /// do so again while it does. Not across a co_await: the lock is the thread's.
    locked_array<T> lock() const { return locked_array<T>{holder{core_}}; }
    /// The same if nobody else holds it now; else empty.
    [[nodiscard]] std::optional<locked_array<T>> try_lock() const {
        return held_at(detail::steady::time_point::min());
    }
    /// The same, empty if others still hold it when the time is up. There is no awaitable form: a
    /// coroutine may resume on another thread, and would not have the lock there.
    [[nodiscard]] std::optional<locked_array<T>> try_lock_for(duration timeout) const {
        return held_at(detail::deadline_after(timeout));
    }

private:
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

    using holder = typename locked_array<T>::holder;
    std::optional<locked_array<T>> held_at(const detail::threads::deadline& until) const {
        auto core = holder::until(core_, until);
        if (!core) return {};
        return locked_array<T>{*std::move(core)};
    }

    std::shared_ptr<detail::threads::array_core<T>> core_;
};

} // namespace coproc::dummy
