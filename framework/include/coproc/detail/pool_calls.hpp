// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The calls of a pool, written once: for pool, for dummy::pool, and for what `with(options)` gives
// of either.

#include <coproc/async_result.hpp>
#include <coproc/detail/call_work.hpp>
#include <coproc/detail/imap_work.hpp>
#include <coproc/detail/map_work.hpp>
#include <coproc/detail/policy.hpp>
#include <coproc/stream.hpp>

#include <initializer_list>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// What pools can do. Thread safe.
///
/// f is a function, a captureless lambda, or a callable whose state can be sent; see bind_front.
/// It is called with decayed rvalues, as by std::thread; what is passed arrives as its travel_t,
/// and R is the travel_t of what f returns. What cannot be sent is refused at compile time
/// (dummy::pool takes anything).
///
/// Every call throws pool_closed_error after close() or terminate(); what goes wrong later is in
/// the result: see async_result::get.
//
// Derived has `const backend_ptr& backend_of_calls() const` and `task_options options_of_calls()
// const`.
template <class Derived, class Policy>
class pool_calls {
    template <class F, class Range>
    using item_of = typename only_type<
        typename Policy::template arguments<std::decay_t<F>, sequence_value_t<Range>>>::type;
    template <class F, class Range>
    using tuple_of =
        typename Policy::template unpacked_argument<std::decay_t<F>, sequence_value_t<Range>>;

public:
    /// Calls `f(args...)` on a worker. Returns an async_result<R> at once. *Exceptions*:
    /// pool_closed_error.
    template <class F, class... Args>
    auto apply_async(F&& f, Args&&... args) const {
        return submit_call<false>(std::forward<F>(f), std::forward<Args>(args)...);
    }

    /// Calls `f(args...)` on a worker and waits for it: `apply_async(...).get()`. Returns R.
    template <class F, class... Args>
    auto apply(F&& f, Args&&... args) const {
        return submit_call<true>(std::forward<F>(f), std::forward<Args>(args)...).get();
    }

    /// Calls `f(x)` for every x of the range. Returns an async_result<std::vector<R>> at once, an
    /// async_result<void> for functions without a result. The results come together, in input
    /// order. The whole input has been read on return; a container that is given away is moved
    /// from, item by item. The result fails with the failure of the lowest index, once no more of
    /// its items run. Ranges of std and of range-v3 alike. *Exceptions*: pool_closed_error; what
    /// reading the range throws.
    template <class F, input_sequence Range>
    auto map_async(F&& f, Range&& range) const {
        return map_range(std::forward<F>(f), std::forward<Range>(range));
    }
    /// The same for a braced list.
    template <class F, class T>
    auto map_async(F&& f, std::initializer_list<T> items) const {
        return map_range(std::forward<F>(f), items);
    }
    /// map_async and get: returns std::vector<R>, or nothing. The range is read until then.
    template <class F, input_sequence Range>
    auto map(F&& f, Range&& range) const {
        if constexpr (borrows<F, Range>())
            return map_in_place(std::forward<F>(f), range);
        else
            return map_async(std::forward<F>(f), std::forward<Range>(range)).get();
    }
    /// The same for a braced list.
    template <class F, class T>
    auto map(F&& f, std::initializer_list<T> items) const {
        return map_async(std::forward<F>(f), items).get();
    }

    /// map_async with items that are tuples (or pairs, arrays), unpacked: `f(get<0>(x), get<1>(x),
    /// ...)`.
    template <class F, input_sequence Range>
    auto starmap_async(F&& f, Range&& range) const {
        return starmap_range(std::forward<F>(f), std::forward<Range>(range));
    }
    /// The same for a braced list.
    template <class F, class T>
    auto starmap_async(F&& f, std::initializer_list<T> items) const {
        return starmap_range(std::forward<F>(f), items);
    }
    /// starmap_async and get.
    template <class F, input_sequence Range>
    auto starmap(F&& f, Range&& range) const {
        return starmap_async(std::forward<F>(f), std::forward<Range>(range)).get();
    }
    /// The same for a braced list.
    template <class F, class T>
    auto starmap(F&& f, std::initializer_list<T> items) const {
        return starmap_async(std::forward<F>(f), items).get();
    }

    /// A stream<R> of `f(x)` in input order; of std::monostate for functions without a result. The
    /// input is read on the consumer's thread, as a bounded window allows, so it may be endless; an
    /// lvalue range must outlive the stream.
    template <class F, input_sequence Range>
    auto imap(F&& f, Range&& range) const {
        return submit_imap<true>(std::forward<F>(f), std::forward<Range>(range));
    }
    /// The same for a braced list.
    template <class F, class T>
    auto imap(F&& f, std::initializer_list<T> items) const {
        return submit_imap<true>(std::forward<F>(f), std::vector<T>(items));
    }
    /// imap, with results in the order in which they are done.
    template <class F, input_sequence Range>
    auto imap_unordered(F&& f, Range&& range) const {
        return submit_imap<false>(std::forward<F>(f), std::forward<Range>(range));
    }
    /// The same for a braced list.
    template <class F, class T>
    auto imap_unordered(F&& f, std::initializer_list<T> items) const {
        return submit_imap<false>(std::forward<F>(f), std::vector<T>(items));
    }

private:
    friend Derived;
    pool_calls() = default;

    [[nodiscard]] const backend_ptr& target() const {
        return static_cast<const Derived&>(*this).backend_of_calls();
    }
    [[nodiscard]] work_settings settings() const {
        return work_settings{static_cast<const Derived&>(*this).options_of_calls(),
                             target()->defaults()};
    }

    template <class Stored, class T>
    static decltype(auto) convert(T&& value) {
        if constexpr (std::is_same_v<std::decay_t<T>, Stored>)
            return std::forward<T>(value);
        else
            return to_travel(std::forward<T>(value));
    }

    template <class R, class Work>
    async_result<R> submit(Work* fresh) const {
        state_ptr<R> state{fresh};
        target()->submit(*fresh);
        return async_result<R>{std::move(state)};
    }

    template <class F, class Range>
    auto map_range(F&& f, Range&& range) const {
        using item = item_of<F, Range>;
        if constexpr (Policy::template accepts<std::decay_t<F>, item>) {
            using R = typename Policy::template result<std::decay_t<F>, item>;
            return submit_map<false, item, R>(std::forward<F>(f), std::forward<Range>(range));
        } else {
            Policy::template complain<std::decay_t<F>, item>();
            return async_result<map_value_t<refused_result_t<std::decay_t<F>, item>>>{};
        }
    }
    template <class F, class Range>
    auto starmap_range(F&& f, Range&& range) const {
        if constexpr (!is_tuple<sequence_value_t<Range>>) {
            static_assert(is_tuple<sequence_value_t<Range>>,
                          "coproc: starmap calls the function with the elements of each item, "
                          "which must be a std::tuple, std::pair or std::array: use map for items "
                          "that are one argument");
            return async_result<void>{};
        } else {
            using item = tuple_of<F, Range>;
            using call = unpacked<Policy, std::decay_t<F>, item>;
            if constexpr (call::accepted) {
                return submit_map<true, item, typename call::template result<>>(
                    std::forward<F>(f), std::forward<Range>(range));
            } else {
                call::complain();
                return async_result<map_value_t<typename call::refused>>{};
            }
        }
    }

    template <bool Waits, class F, class... Args>
    auto submit_call(F&& f, Args&&... args) const {
        return submit_call_of<Waits>(
            typename Policy::template arguments<std::decay_t<F>, Args...>{}, std::forward<F>(f),
            std::forward<Args>(args)...);
    }
    template <bool Waits, class... Stored, class F, class... Args>
    auto submit_call_of(type_list<Stored...>, F&& f, Args&&... args) const {
        using function = std::decay_t<F>;
        if constexpr (Policy::template accepts<function, Stored...>) {
            using R = typename Policy::template result<function, Stored...>;
            using work_type = call_work<Policy::remote, function, R, Stored...>;
            auto* fresh = new work_type{target(), settings(), std::forward<F>(f),
                                        convert<Stored>(std::forward<Args>(args))...};
            if constexpr (Waits) fresh->submitter_will_wait();
            return submit<R>(fresh);
        } else {
            Policy::template complain<function, Stored...>();
            return async_result<refused_result_t<function, Stored...>>{};
        }
    }

    template <bool Star, class Item, class R, class F, class Range>
    auto submit_map(F&& f, Range&& range) const {
        input_array<Item> inputs;
        inputs.reserve(size_hint(range));
        auto at = sequence_begin(range);
        const auto end = sequence_end(range);
        for (; at != end; ++at) {
            inputs.push_back(take_item<Item, Range>(*at));
        }
        using work_type = map_work<Policy::remote, Star, std::decay_t<F>, R, Item>;
        return submit<map_value_t<R>>(
            new work_type{target(), settings(), std::forward<F>(f), std::move(inputs)});
    }

    /// Whether a map that waits can leave the items where they are.
    template <class F, class Range>
    static consteval bool borrows() {
        using item = item_of<F, Range>;
        if constexpr (std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range>) {
            using reference = std::ranges::range_reference_t<Range>;
            if constexpr (std::is_same_v<reference, item&> ||
                          std::is_same_v<reference, const item&>)
                return can_borrow<Policy::remote, item> &&
                       Policy::template accepts<std::decay_t<F>, item>;
        }
        return false;
    }

    template <class F, class Range>
    auto map_in_place(F&& f, Range& range) const {
        using item = item_of<F, Range>;
        using R = typename Policy::template result<std::decay_t<F>, item>;
        using work_type = map_work<Policy::remote, false, std::decay_t<F>, R, item>;
        auto* const fresh =
            new work_type{target(), settings(), std::forward<F>(f),
                          input_array<item>{std::ranges::data(range), std::ranges::size(range)}};
        const state_ptr<map_value_t<R>> alive{fresh};
        struct borrower {
            work_type& work;
            ~borrower() { work.call_in(); }
        } const returns_them{*fresh};
        return submit<map_value_t<R>>(fresh).get();
    }

    template <bool Ordered, class F, class Range>
    auto submit_imap(F&& f, Range&& range) const {
        using item = item_of<F, Range>;
        using function = std::decay_t<F>;
        if constexpr (Policy::template accepts<function, item>) {
            // An lvalue is referred to, as by views::all; anything else moves in.
            constexpr bool refer =
                std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cvref_t<Range>>;
            using input =
                sequence_input<std::conditional_t<refer, Range, std::remove_cvref_t<Range>>, item>;
            using work_type = imap_work<Policy::remote, Ordered, function,
                                        typename Policy::template result<function, item>, input>;
            auto* fresh = new work_type{target(), settings(), std::forward<F>(f),
                                        input{std::forward<Range>(range)}};
            state_ptr<void> alive{fresh};
            fresh->start();
            using value = typename work_type::value_type;
            return stream<value>{std::shared_ptr<stream_state<value>>{
                fresh, [alive = std::move(alive)](stream_state<value>* s) { s->abandon(); }}};
        } else {
            Policy::template complain<function, item>();
            return stream<stream_value_t<refused_result_t<function, item>>>{};
        }
    }
};

} // namespace coproc::detail
