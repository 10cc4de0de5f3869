// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A pool in the middle of a pipeline:
//
//     auto squares = inputs | coproc::views::imap(pool, f) | ranges::to<std::vector>();      //
//     range-v3 for (int x : std::views::iota(0) | coproc::views::imap(pool, f) |
//     std::views::take(3)) // std
//
// No header of range-v3 is needed or included: the stream models std's and range-v3's concepts
// alike.

#include <coproc/pool.hpp>
#include <coproc/stream.hpp>

#include <type_traits>
#include <utility>

namespace coproc::views {

/// What imap(pool, f) is before a range is piped into it. Refers to the pool.
template <class Pool, class F, bool Ordered>
class imap_closure {
public:
    /// For imap and imap_unordered.
    imap_closure(Pool& pool, F function) : pool_{&pool}, function_(std::move(function)) {}

    /// The stream of `f(x)` for the range's elements.
    template <detail::input_sequence Range>
    auto operator()(Range&& range) const {
        if constexpr (Ordered)
            return pool_->imap(function_, std::forward<Range>(range));
        else
            return pool_->imap_unordered(function_, std::forward<Range>(range));
    }

    /// The same, as the next stage of a pipeline.
    template <detail::input_sequence Range>
    friend auto operator|(Range&& range, const imap_closure& closure) {
        return closure(std::forward<Range>(range));
    }

private:
    Pool* pool_;
    F function_;
};

/// `range | imap(pool, f)` is `pool.imap(f, range)`: results in input order, lazily, with a bounded
/// window. The pool may be any pool, or `pool.with(options)` kept in a variable; it must outlive
/// the call, not the stream.
template <class Pool, class F>
[[nodiscard]] auto imap(Pool& pool, F&& function) {
    return imap_closure<Pool, std::decay_t<F>, true>{pool, std::forward<F>(function)};
}

/// The same in the order in which results are done.
template <class Pool, class F>
[[nodiscard]] auto imap_unordered(Pool& pool, F&& function) {
    return imap_closure<Pool, std::decay_t<F>, false>{pool, std::forward<F>(function)};
}

} // namespace coproc::views
