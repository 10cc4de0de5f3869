// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/codec.hpp>
#include <coproc/detail/byte_queue.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace coproc {

namespace asio = boost::asio;

namespace detail {

/// The calls of queue and joinable_queue.
template <class T, bool Joinable>
class queue_calls {
    static_assert((require_sendable<T>(), true));

public:
    using value_type = T; ///< what get() returns

    /// Puts an element, waiting for room in a bounded queue. When it returns the element is safe:
    /// the producer may die. *Exceptions*: queue_closed_error; what encoding the element throws;
    /// std::system_error (ENOMEM) when there is no memory for it. The queue is unchanged then.
    void put(const T& element) const { queue_.put(source(element), {}); }
    /// The same for at most `timeout`. *Exceptions*: queue_full_error besides.
    void put(const T& element, duration timeout) const {
        if (!queue_.put(source(element), deadline_after(timeout))) throw queue_full_error{};
    }
    /// Without waiting; false: there is no room. *Exceptions*: as put().
    [[nodiscard]] bool try_put(const T& element) const {
        return queue_.put(source(element), byte_queue::now());
    }

    /// Takes the next element, waiting for one. *Exceptions*: queue_closed_error when the queue was
    /// closed and has been emptied; what decoding the element throws, which is gone then.
    T get() const { return *take({}); }
    /// The same for at most `timeout`. *Exceptions*: queue_empty_error besides.
    T get(duration timeout) const {
        auto element = take(deadline_after(timeout));
        if (!element) throw queue_empty_error{};
        return *std::move(element);
    }
    /// Without waiting; nothing if the queue is empty. *Exceptions*: as get().
    [[nodiscard]] std::optional<T> try_get() const { return take(byte_queue::now()); }

    /// Puts an element without blocking the thread; it is encoded when the operation is started.
    /// *Completion signature*: `void(std::exception_ptr)`, on the handler's associated executor.
    /// *Cancellation*: any type ends the wait with cancelled_error; the element is not in the
    /// queue then. *Exceptions*: as put().
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_put(T element, Token&& token = Token()) const {
        return async_start<void>(
            [queue = queue_, element = std::move(element)] {
                return queue.start_put(source(element));
            },
            std::forward<Token>(token));
    }
    /// Takes the next element without blocking the thread. *Completion signature*:
    /// `void(std::exception_ptr, T)`, on the handler's associated executor; T must be
    /// default-constructible. *Cancellation*: any type ends the wait with cancelled_error; no
    /// element is lost by it. *Exceptions*: as get().
    template <asio::completion_token_for<void(std::exception_ptr, T)> Token = asio::deferred_t>
    auto async_get(Token&& token = Token()) const {
        return async_start<T>(
            [queue = queue_] {
                return relayed<T>::run([&](relayed<T>& result) {
                    return queue.start_get([to = boost::intrusive_ptr<relayed<T>>{&result}](
                                               reader& r) { to->emplace(decode<T>(r)); });
                });
            },
            std::forward<Token>(token));
    }

    /// How many elements there are; it may have changed by the time it is known.
    [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] bool full() const noexcept { return queue_.full(); }
    /// How many elements there may be; 0: any number.
    [[nodiscard]] std::size_t maxsize() const noexcept { return queue_.maxsize(); }

    /// Ends the queue for all processes: what is in it is still delivered; then get, and at once
    /// put, throw queue_closed_error, also where they wait already.
    void close() const { queue_.close(); }
    [[nodiscard]] bool closed() const noexcept { return queue_.closed(); }

protected:
    explicit queue_calls(std::size_t maxsize) : queue_{options(maxsize)} {}
    explicit queue_calls(byte_queue queue) noexcept : queue_{std::move(queue)} {}
    ~queue_calls() = default;
    queue_calls(const queue_calls&) = default;
    queue_calls(queue_calls&&) noexcept = default;
    queue_calls& operator=(const queue_calls&) = default;
    queue_calls& operator=(queue_calls&&) noexcept = default;

    static queue_options options(std::size_t maxsize = 0) {
        return {.maxsize = maxsize,
                .type = type_number(typeid(T).name()),
                .joinable = Joinable,
                .descriptors = may_carry_handles<T>()};
    }
    [[nodiscard]] const byte_queue& bytes() const noexcept { return queue_; }

private:
    template <class Queue>
    friend struct queue_codec;

    static element_source source(const T& element) {
        sizer s;
        detail::size(s, element);
        return {s.size(), s.descriptors(), &element, [](const void* value, writer& w) {
                    detail::encode(w, *static_cast<const T*>(value));
                }};
    }
    std::optional<T> take(time_limit until) const {
        std::optional<T> element;
        queue_.get([&](reader& r) { element.emplace(decode<T>(r)); }, until);
        return element;
    }

    byte_queue queue_;
};

/// A number of elements as the constructors take it.
template <std::integral N>
std::size_t queue_bound(N maxsize) {
    if constexpr (std::is_signed_v<N>)
        if (maxsize < 0) return 0; // as in Python: no bound
    return static_cast<std::size_t>(maxsize);
}

template <class Queue>
struct queue_codec {
    using parts = types<typename Queue::value_type>;
    static void size(sizer& s, const Queue& queue) { byte_queue::size(s, queue.queue_); }
    static void encode(writer& w, const Queue& queue) { byte_queue::encode(w, queue.queue_); }
    static Queue decode(reader& r) { return Queue{byte_queue::decode(r, Queue::options())}; }
};

} // namespace detail

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

/// A queue that knows when all its elements have been worked on: consumers say task_done() for each
/// element they got, join() waits until that was said for all. What a consumer had got and not done
/// when it died counts as done. Otherwise as queue.
template <class T>
class joinable_queue : public detail::queue_calls<T, true> {
    using calls = detail::queue_calls<T, true>;

public:
    /// As queue.
    joinable_queue() : calls{std::size_t{0}} {}
    /// As queue.
    template <std::integral N>
        requires(!std::same_as<N, bool>)
    explicit joinable_queue(N maxsize) : calls{detail::queue_bound(maxsize)} {}

    /// An element that this process got is done. *Exceptions*: std::logic_error when there is none
    /// that is not.
    void task_done() const { this->bytes().task_done(); }
    /// Waits until every element that was put is done.
    void join() const { this->bytes().join({}); }
    /// False when `timeout` passed first.
    [[nodiscard]] bool join(duration timeout) const {
        return this->bytes().join(detail::deadline_after(timeout));
    }
    /// Waits without blocking the thread. *Completion signature*: `void(std::exception_ptr)`, on
    /// the handler's associated executor. *Cancellation*: any type ends the wait with
    /// cancelled_error.
    template <asio::completion_token_for<void(std::exception_ptr)> Token = asio::deferred_t>
    auto async_join(Token&& token = Token()) const {
        return detail::async_start<void>([queue = this->bytes()] { return queue.start_join(); },
                                         std::forward<Token>(token));
    }

private:
    template <class Queue>
    friend struct detail::queue_codec;
    explicit joinable_queue(detail::byte_queue bytes) noexcept : calls{std::move(bytes)} {}
};

/// Travels as a handle of the same queue.
template <class T>
struct codec<joinable_queue<T>> : detail::queue_codec<joinable_queue<T>> {};

} // namespace coproc
