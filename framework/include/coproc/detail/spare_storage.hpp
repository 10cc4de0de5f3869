// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The memory of one large value that is not needed any more, for the next one of its type that is
// decoded on the same thread. Fresh memory comes from the system, which clears it first, and that
// takes longer than to copy the value.
//
// A thread keeps one at most, and only where somebody says when it is dropped: a worker, when there
// was no use for it for a second; whoever takes a reply, as soon as he has it.

#include <coproc/detail/codec_kind.hpp>
#include <coproc/duration.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace coproc::detail {

/// A value of that many bytes is worth some trouble about its memory.
inline constexpr std::size_t large_value = std::size_t{4} << 20;

/// Nobody notices when such a value is let go of.
template <class T>
inline constexpr bool storage_may_be_kept = false;
template <class T>
inline constexpr bool storage_may_be_kept<std::vector<T>> = is_bits<T>;

class spare_storage {
public:
    /// Lets this thread keep some for as long as it lives; drops it at the end.
    class permission {
    public:
        permission() noexcept;
        permission(const permission&) = delete;
        permission& operator=(const permission&) = delete;
        ~permission();
    };

    /// Keeps what a value has allocated, in place of what was kept before, if that is much and the
    /// thread may. The value is moved from then.
    template <class T>
    static void keep(T& value) noexcept {
        if constexpr (storage_may_be_kept<T>) {
            if (value.capacity() * sizeof(typename T::value_type) < large_value || !permitted())
                return;
            if (void* const kept = new (std::nothrow) T(std::move(value)))
                exchange({&tag<T>, kept, [](void* at) noexcept { delete static_cast<T*>(at); }});
        }
    }
    /// An empty object with memory for `count` elements, and no more than twice as much. Or one
    /// without.
    template <class T>
        requires storage_may_be_kept<T>
    [[nodiscard]] static T take(std::size_t count) noexcept {
        auto* const kept = static_cast<T*>(look(&tag<T>));
        if (kept == nullptr || kept->capacity() < count || kept->capacity() / 2 > count) return {};
        T value = std::move(*kept);
        value.clear();
        drop();
        return value;
    }
    /// This thread keeps some.
    [[nodiscard]] static bool keeps() noexcept;
    static void drop() noexcept { exchange({}); }
    /// If it has been there for a second: what comes meanwhile has no use for it.
    static void drop_old(steady::time_point now) noexcept;

private:
    template <class T>
    static inline char tag = 0; // its address tells the type

    struct kept_value {
        const void* type = nullptr;
        void* value = nullptr;
        void (*destroy)(void*) noexcept = nullptr;
    };
    [[nodiscard]] static bool permitted() noexcept;
    [[nodiscard]] static void* look(const void* type) noexcept;
    static void exchange(kept_value by) noexcept;

    struct slot;
};

/// Keeps what a value still has when the scope ends.
template <class T>
class keep_at_end {
public:
    explicit keep_at_end(T& value) noexcept : value_{value} {}
    keep_at_end(const keep_at_end&) = delete;
    keep_at_end& operator=(const keep_at_end&) = delete;
    ~keep_at_end() { spare_storage::keep(value_); }

private:
    T& value_;
};

} // namespace coproc::detail
