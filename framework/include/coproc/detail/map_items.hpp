// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where the inputs and the results of a map lie.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

/// Memory of somebody who waits, lent to others until he goes on: they read between begin() and
/// end(), and cannot begin any more once it was called in. All of it is one word, so a reader that
/// began is seen by call_in(), and one that did not sees that it is over.
class loan {
public:
    /// False: it is over.
    [[nodiscard]] bool begin() noexcept {
        if ((word_.fetch_add(1, std::memory_order_acquire) & over) == 0) return true;
        end();
        return false;
    }
    void end() noexcept {
        if (word_.fetch_sub(1, std::memory_order_release) == (over | 1)) word_.notify_all();
    }
    /// Returns when nobody reads any more, which takes as long as copying a chunk.
    void call_in() noexcept {
        auto seen = word_.fetch_or(over, std::memory_order_acq_rel) | over;
        for (; seen != over; seen = word_.load(std::memory_order_acquire))
            word_.wait(seen, std::memory_order_acquire);
    }

private:
    static constexpr std::uint32_t over = 0x8000'0000;
    std::atomic<std::uint32_t> word_{0};
};

/// An input that can be let go before the others. Trivial ones need no letting go and stay
/// contiguous.
template <class T, bool Trivial = std::is_trivially_copyable_v<T>>
class input_array {
public:
    void reserve(std::size_t n) { items_.reserve(n); }
    template <class U>
    void push_back(U&& item) {
        items_.emplace_back(std::forward<U>(item));
    }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    T& operator[](std::size_t i) noexcept { return *items_[i]; }
    const T& operator[](std::size_t i) const noexcept { return *items_[i]; }
    T take(std::size_t i) {
        T item = std::move(*items_[i]);
        items_[i].reset();
        return item;
    }
    void release(std::size_t first, std::size_t count) noexcept {
        for (std::size_t i = first; i < first + count; ++i)
            items_[i].reset();
    }

private:
    std::vector<std::optional<T>> items_;
};

template <class T>
class input_array<T, true> {
    struct slot {
        T value;
    };

public:
    input_array() = default;
    /// Those of somebody who waits; to be read under a loan.
    input_array(const T* lent, std::size_t n) noexcept : lent_{lent}, lent_size_{n} {}

    [[nodiscard]] bool lent() const noexcept { return lent_ != nullptr; }
    /// Item i and those behind it.
    [[nodiscard]] const T* from(std::size_t i) const noexcept {
        return lent() ? lent_ + i : std::addressof(items_[i].value);
    }

    void reserve(std::size_t n) { items_.reserve(n); }
    template <class U>
    void push_back(U&& item) {
        items_.push_back(slot{T(std::forward<U>(item))});
    }
    [[nodiscard]] std::size_t size() const noexcept { return lent() ? lent_size_ : items_.size(); }
    const T& operator[](std::size_t i) const noexcept { return *from(i); }
    T take(std::size_t i) { return *from(i); }
    void release(std::size_t /*first*/, std::size_t /*count*/) noexcept {}

private:
    std::vector<slot> items_; // vector<bool> would not have elements
    const T* lent_ = nullptr;
    std::size_t lent_size_ = 0;
};

/// Results by index, written from several threads.
template <class R>
class result_array {
public:
    /// Whether the results lie side by side.
    static constexpr bool direct = std::is_default_constructible_v<R> && !std::is_same_v<R, bool>;

    explicit result_array(std::size_t n) : size_{n} {
        if constexpr (by_and_by)
            values_.reserve(n);
        else
            values_.resize(n);
    }

    /// To be called before results up to there are set.
    void make_room(std::size_t end) noexcept {
        if constexpr (by_and_by) {
            if (made_.load(std::memory_order_acquire) >= end) return;
            const std::scoped_lock lock{growing_};
            if (values_.size() >= end) return;
            values_.resize(end); // reserved: nothing moves, nothing is thrown
            made_.store(end, std::memory_order_release);
        }
    }
    template <class V>
    void set(std::size_t i, V&& value) {
        values_.data()[i] = std::forward<V>(value); // the size may be growing meanwhile
    }
    R* room(std::size_t i) noexcept
        requires(direct)
    {
        return values_.data() + i;
    }
    std::vector<R> finish() {
        make_room(size_);
        if constexpr (direct) {
            return std::move(values_);
        } else {
            std::vector<R> out;
            out.reserve(values_.size());
            for (auto& v : values_)
                out.push_back(std::move(*v));
            return out;
        }
    }

private:
    // Zeros for a million numbers take longer than the first results: they are written when the
    // results come, next to them in time, and while workers work.
    static constexpr bool by_and_by =
        direct && std::is_trivially_copyable_v<R> && std::is_nothrow_default_constructible_v<R>;

    std::vector<std::conditional_t<direct, R, std::optional<R>>> values_;
    std::size_t size_;
    std::mutex growing_;
    std::atomic<std::size_t> made_{0};
};
template <>
class result_array<void> {
public:
    static constexpr bool direct = false;
    explicit result_array(std::size_t /*n*/) {}
    void make_room(std::size_t /*end*/) noexcept {}
};

} // namespace coproc::detail
