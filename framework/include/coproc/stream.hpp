// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/async_result.hpp>
#include <coproc/detail/input_sequence.hpp>
#include <coproc/detail/stream_state.hpp>
#include <coproc/duration.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

// range-v3's opt-in, declared here so that no header of it is needed.
namespace ranges::ext {
template <typename T>
struct enable_view;
}

namespace coproc {

/// Results as they come: an input range and an asynchronous sequence.
///
///     for (int x : pool.imap(f, inputs)) ...                       // blocks for each
///     auto s = pool.imap(f, inputs);
///     while (auto x = co_await s.next()) ...                       // suspends; empty at the end
///
/// Results before a failing item are delivered, then its exception is thrown once, then the stream
/// has ended. The handle is cheap to copy, all copies are one stream; dropping the last one cancels
/// what is left. It can be read once, by one consumer at a time. Thread safety: as that says.
template <class R>
class stream {
public:
    using value_type = R; ///< what it yields; std::monostate for a function without a result

    /// Empty: a stream that has ended.
    stream() noexcept = default;

    /// An asynchronous operation; see stream::next().
    class next_operation {
    public:
        /// *Completion signature*: `void(std::exception_ptr, std::optional<R>)`. *Cancellation*:
        /// any type cancels the stream, which then ends with cancelled_error.
        template <asio::completion_token_for<void(std::exception_ptr, std::optional<R>)> Token>
        auto operator()(Token&& token) {
            return detail::async_take(item(), std::forward<Token>(token));
        }
        /// In coroutines other than asio::awaitable; resumes on pool_options::callback_executor.
        auto operator co_await() && { return detail::result_awaiter<std::optional<R>>{item()}; }

        /// For the library.
        explicit next_operation(std::shared_ptr<detail::stream_state<R>> from) noexcept
            : from_{std::move(from)} {}

    private:
        auto item() const {
            if (from_) return from_->async_next();
            auto ended =
                detail::state_ptr<std::optional<R>>{new detail::result_state<std::optional<R>>};
            ended->emplace(std::nullopt);
            ended->complete();
            return ended;
        }
        std::shared_ptr<detail::stream_state<R>> from_;
    };

    /// The next value, empty at the end: `co_await s.next()`, or with any completion token
    /// `s.next()(token)`. An imap reads its input here, on the caller's thread.
    [[nodiscard]] next_operation next() { return next_operation{state_}; }

    /// The next value within `timeout`, empty at the end. *Exceptions*: the failing item's;
    /// timeout_error (kind waiting), after which the stream goes on as before.
    std::optional<R> next(duration timeout) {
        return state_ ? state_->next(detail::deadline_after(timeout)) : std::nullopt;
    }

    /// An input iterator. Incrementing it waits for the next value. *Exceptions*: the failing
    /// item's, in its turn.
    class iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = R;
        using difference_type = std::ptrdiff_t;
        using reference = R&;
        using pointer = R*;

        iterator() noexcept = default;
        R& operator*() const noexcept { return **current_; }
        R* operator->() const noexcept { return &**current_; }
        iterator& operator++() {
            *current_ = from_->next();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
            return !it.current_ || !it.current_->has_value();
        }

    private:
        friend class stream;
        iterator(std::shared_ptr<detail::stream_state<R>> from,
                 std::shared_ptr<std::optional<R>> current) noexcept
            : from_{std::move(from)}, current_{std::move(current)} {}

        std::shared_ptr<detail::stream_state<R>> from_;
        std::shared_ptr<std::optional<R>>
            current_; // shared by the copies of an iterator, as they are one position
    };

    /// Waits for the first value.
    iterator begin() const {
        if (!state_) return {};
        auto current = std::make_shared<std::optional<R>>(state_->next());
        return iterator{state_, std::move(current)};
    }
    /// The end, when it comes.
    std::default_sentinel_t end() const noexcept { return {}; }

    /// For the library: `state` is abandoned when the last handle goes.
    explicit stream(std::shared_ptr<detail::stream_state<R>> state) noexcept
        : state_{std::move(state)} {}

private:
    std::shared_ptr<detail::stream_state<R>> state_;
};

} // namespace coproc

/// @cond
template <class R>
inline constexpr bool coproc::detail::hands_items_over<coproc::stream<R>> = true;
template <class R>
inline constexpr bool std::ranges::enable_view<coproc::stream<R>> = true;
template <class R>
struct ranges::ext::enable_view<coproc::stream<R>> : std::true_type {};
/// @endcond
