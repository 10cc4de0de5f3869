// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What queue and joinable_queue have in common.

#include <coproc/codec.hpp>
#include <coproc/detail/byte_queue.hpp>
#include <coproc/detail/may_carry_handles.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace coproc::detail {

/// Their calls.
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
    template <
        boost::asio::completion_token_for<void(std::exception_ptr)> Token = boost::asio::deferred_t>
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
    /// element is lost by it (one that had been taken just then is put back, unless it contains
    /// handles). *Exceptions*: as get().
    template <boost::asio::completion_token_for<void(std::exception_ptr, T)> Token =
                  boost::asio::deferred_t>
    auto async_get(Token&& token = Token()) const {
        return async_start<T>([queue = queue_] { return start_get(queue); },
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
    static state_ptr<T> start_get(const byte_queue& queue) {
        return relayed<T>::run([&](relayed<T>& result) {
            // A pointer will do, and a reference would be a circle: `result` outlives the wait.
            auto* const to = &result;
            return queue.start_get(
                [to](reader& r) { to->emplace(decode<T>(r)); },
                [queue, to] {
                    bool back = false;
                    to->add_reader();
                    to->read([&](const T& element) { back = queue.put_back(source(element)); });
                    return back;
                });
        });
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

} // namespace coproc::detail
