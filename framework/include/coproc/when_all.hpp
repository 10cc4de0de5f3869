// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/async_result.hpp>
#include <coproc/detail/gather.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coproc {

/// All results together, in the order of the handles: `auto [a, b] = co_await
/// when_all(std::move(x), std::move(y))` (void counts as std::monostate). Fails with the first
/// failure and cancels the others; cancelling it cancels all. The handles are consumed. Thread
/// safety: as any result.
template <class... R>
async_result<std::tuple<detail::regular_t<R>...>> when_all(async_result<R>... handles) {
    return detail::all_of_tuple<R...>::start(handles.pointer()...);
}

template <class R>
auto when_all(std::vector<async_result<R>> handles) {
    return detail::all_of_vector<R>::start(detail::pointers(handles));
}

/// The result that is there first, success or failure; the others are cancelled. For a vector: with
/// its index.
template <class... R>
    requires(sizeof...(R) > 0)
async_result<std::variant<detail::regular_t<R>...>> when_any(async_result<R>... handles) {
    return detail::any_of_tuple<R...>::start(handles.pointer()...);
}

/// *Exceptions*: std::invalid_argument for an empty vector, which would never have a first.
template <class R>
async_result<std::pair<std::size_t, detail::regular_t<R>>>
when_any(std::vector<async_result<R>> handles) {
    return detail::any_of_vector<R>::start(detail::pointers(handles));
}

/// The results as they come, each with its index in the vector. A failure is thrown in its turn,
/// and then the stream has ended; dropping the stream cancels what has not come.
template <class R>
stream<std::pair<std::size_t, detail::regular_t<R>>>
as_completed(std::vector<async_result<R>> handles) {
    return detail::completion_stream<R>::start(detail::pointers(handles));
}

} // namespace coproc
