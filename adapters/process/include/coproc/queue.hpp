// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/queue_calls.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace coproc {

/// A queue between processes, for any number of producers and consumers, of elements that can be
/// sent (see codec.hpp), handles of this library among them. A handle: copies refer to the same
/// queue, also those that travelled to another process in a job's arguments, a queue or a pipe.
///
///     coproc::queue<std::string> q;
///     auto lines = pool.apply_async(read_lines, q);      // puts
///     std::string line = q.get();
///
/// Elements of one producer arrive in order. There is no thread behind it: put() copies the element
/// into shared memory, get() copies it out. Elements are in the queue or not, whatever process dies
/// when: a death loses none of the others' and delivers none twice. The memory goes with the last
/// handle. Thread safe.
template <class T>
class queue : public detail::queue_calls<T, false> {
    using calls = detail::queue_calls<T, false>;

public:
    /// A queue of its own, without a bound. *Exceptions*: std::system_error.
    queue() : calls{std::size_t{0}} {}
    /// For at most so many elements; 0 or less: without a bound.
    template <std::integral N>
        requires(!std::same_as<N, bool>)
    explicit queue(N maxsize) : calls{detail::queue_bound(maxsize)} {}

private:
    template <class Queue>
    friend struct detail::queue_codec;
    explicit queue(detail::byte_queue bytes) noexcept : calls{std::move(bytes)} {}
};

/// Travels as a handle of the same queue.
template <class T>
struct codec<queue<T>> : detail::queue_codec<queue<T>> {};

} // namespace coproc
