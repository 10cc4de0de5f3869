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

#include <concepts>
#include <type_traits>
#include <utility>

namespace coproc::views {

/// A pool that stays where it is, or what `with` returns, which is small and copied.
template <class Pool>
concept pool_or_options = std::is_lvalue_reference_v<Pool> || std::copyable<Pool>;

/// What imap(pool, f) is before a range is piped into it. Refers to a pool, and holds what `with`
/// made.
template <class Pool, class F, bool Ordered>
class imap_closure {
public:
    /// For imap and imap_unordered.
    imap_closure(Pool&& pool, F function)
        : pool_(std::forward<Pool>(pool)), function_(std::move(function)) {}

    /// The stream of `f(x)` for the range's elements.
    template <detail::input_sequence Range>
    auto operator()(Range&& range) const {
        if constexpr (Ordered)
            return pool_.imap(function_, std::forward<Range>(range));
        else
            return pool_.imap_unordered(function_, std::forward<Range>(range));
    }

    /// The same, as the next stage of a pipeline.
    template <detail::input_sequence Range>
    friend auto operator|(Range&& range, const imap_closure& closure) {
        return closure(std::forward<Range>(range));
    }

private:
    Pool pool_;
    F function_;
};

/// `range | imap(pool, f)` is `pool.imap(f, range)`: results in input order, lazily, with a bounded
/// window. The pool may be any pool, or `pool.with(options)`; it must outlive the call, not the
/// stream.
template <class Pool, class F>
    requires pool_or_options<Pool>
[[nodiscard]] auto imap(Pool&& pool, F&& function) {
    return imap_closure<Pool, std::decay_t<F>, true>{std::forward<Pool>(pool),
                                                     std::forward<F>(function)};
}

/// The same in the order in which results are done.
template <class Pool, class F>
    requires pool_or_options<Pool>
[[nodiscard]] auto imap_unordered(Pool&& pool, F&& function) {
    return imap_closure<Pool, std::decay_t<F>, false>{std::forward<Pool>(pool),
                                                      std::forward<F>(function)};
}

} // namespace coproc::views
