// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The calls of a pool, written once: for pool, for dummy::pool, and for what `with(options)` gives of either.

#include <coproc/async_result.hpp>
#include <coproc/detail/call_work.hpp>
#include <coproc/detail/imap_work.hpp>
#include <coproc/detail/map_work.hpp>
#include <coproc/detail/policy.hpp>
#include <coproc/stream.hpp>

#include <initializer_list>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// Derived has `const backend_ptr& backend_of_calls() const` and `task_options options_of_calls() const`.
template <class Derived, class Policy>
class pool_calls {
    template <class Range>
    using item_of = typename Policy::template argument<sequence_value_t<Range>>;

public:
    /// Calls `f(args...)` on a worker; at once a handle of the result. f and args are copied or moved as std::thread
    /// does; see the travel types. *Exceptions*: pool_closed_error after close().
    template <class F, class... Args>
    auto apply_async(F&& f, Args&&... args) {
        using function = std::decay_t<F>;
        if constexpr (Policy::template accepts<function, typename Policy::template argument<Args>...>) {
            using R = typename Policy::template result<function, typename Policy::template argument<Args>...>;
            using work_type = call_work<Policy::remote, function, R, typename Policy::template argument<Args>...>;
            return submit<R>(new work_type{target(), settings(), std::forward<F>(f), convert<Args>(std::forward<Args>(args))...});
        } else {
            Policy::template complain<function, typename Policy::template argument<Args>...>();
            return async_result<void>{};
        }
    }

    /// apply_async(...).get()
    template <class F, class... Args>
    auto apply(F&& f, Args&&... args) {
        return apply_async(std::forward<F>(f), std::forward<Args>(args)...).get();
    }

    /// Calls `f(x)` for every x of the range; the results come together, in input order. The whole input has been
    /// read on return. The result fails with the failure of the lowest index, once no more of its items run.
    /// *Exceptions*: pool_closed_error; what reading the range throws.
    template <class F, input_sequence Range>
    auto map_async(F&& f, Range&& range) {
        using item = item_of<Range>;
        if constexpr (Policy::template accepts<std::decay_t<F>, item>) {
            using R = typename Policy::template result<std::decay_t<F>, item>;
            return submit_map<false, item, R>(std::forward<F>(f), std::forward<Range>(range));
        } else {
            Policy::template complain<std::decay_t<F>, item>();
            return async_result<void>{};
        }
    }
    template <class F, class T>
    auto map_async(F&& f, std::initializer_list<T> items) {
        return map_async<F, std::initializer_list<T>&>(std::forward<F>(f), items);
    }
    template <class F, input_sequence Range>
    auto map(F&& f, Range&& range) {
        return map_async(std::forward<F>(f), std::forward<Range>(range)).get();
    }
    template <class F, class T>
    auto map(F&& f, std::initializer_list<T> items) {
        return map_async(std::forward<F>(f), items).get();
    }

    /// The same with items that are tuples (or pairs, arrays), unpacked: `f(get<0>(x), get<1>(x), ...)`.
    template <class F, input_sequence Range>
    auto starmap_async(F&& f, Range&& range) {
        using item = item_of<Range>;
        using call = unpacked<Policy, std::decay_t<F>, item>;
        if constexpr (call::accepted) {
            return submit_map<true, item, typename call::template result<>>(std::forward<F>(f), std::forward<Range>(range));
        } else {
            call::complain();
            return async_result<void>{};
        }
    }
    template <class F, class T>
    auto starmap_async(F&& f, std::initializer_list<T> items) {
        return starmap_async<F, std::initializer_list<T>&>(std::forward<F>(f), items);
    }
    template <class F, input_sequence Range>
    auto starmap(F&& f, Range&& range) {
        return starmap_async(std::forward<F>(f), std::forward<Range>(range)).get();
    }
    template <class F, class T>
    auto starmap(F&& f, std::initializer_list<T> items) {
        return starmap_async(std::forward<F>(f), items).get();
    }

    /// A stream of `f(x)` in input order. The input is read on the consumer's thread, as a bounded window allows, so
    /// it may be endless; an lvalue range must outlive the stream.
    template <class F, input_sequence Range>
    auto imap(F&& f, Range&& range) {
        return submit_imap<true>(std::forward<F>(f), std::forward<Range>(range));
    }
    template <class F, class T>
    auto imap(F&& f, std::initializer_list<T> items) {
        return submit_imap<true>(std::forward<F>(f), std::vector<T>(items));
    }
    /// The same in the order in which they are done.
    template <class F, input_sequence Range>
    auto imap_unordered(F&& f, Range&& range) {
        return submit_imap<false>(std::forward<F>(f), std::forward<Range>(range));
    }
    template <class F, class T>
    auto imap_unordered(F&& f, std::initializer_list<T> items) {
        return submit_imap<false>(std::forward<F>(f), std::vector<T>(items));
    }

private:
    [[nodiscard]] const backend_ptr& target() const { return static_cast<const Derived&>(*this).backend_of_calls(); }
    [[nodiscard]] work_settings settings() const {
        return work_settings{static_cast<const Derived&>(*this).options_of_calls(), target()->defaults()};
    }

    template <class T>
    static decltype(auto) convert(T&& value) {
        if constexpr (Policy::remote && !std::is_same_v<std::decay_t<T>, typename Policy::template argument<T>>)
            return to_travel(std::forward<T>(value));
        else
            return std::forward<T>(value);
    }

    template <class R, class Work>
    async_result<R> submit(Work* fresh) {
        state_ptr<R> state{fresh};
        target()->submit(*fresh);
        return async_result<R>{std::move(state)};
    }

    template <bool Star, class Item, class R, class F, class Range>
    auto submit_map(F&& f, Range&& range) {
        input_array<Item> inputs;
        inputs.reserve(size_hint(range));
        auto at = sequence_begin(range);
        const auto end = sequence_end(range);
        for (; at != end; ++at) {
            using reference = decltype(*at);
            // What stands in a container that was given away is moved out of it.
            if constexpr (!std::is_lvalue_reference_v<Range> && std::is_lvalue_reference_v<reference> &&
                          std::is_same_v<std::remove_reference_t<reference>, Item> && !std::ranges::view<std::remove_cvref_t<Range>>)
                inputs.push_back(std::move(*at));
            else if constexpr (std::is_constructible_v<Item, reference>)
                inputs.push_back(*at);
            else
                inputs.push_back(to_travel(sequence_value_t<Range>(*at)));
        }
        using work_type = map_work<Policy::remote, Star, std::decay_t<F>, R, Item>;
        return submit<map_value_t<R>>(new work_type{target(), settings(), std::forward<F>(f), std::move(inputs)});
    }

    template <bool Ordered, class F, class Range>
    auto submit_imap(F&& f, Range&& range) {
        using item = item_of<Range>;
        using function = std::decay_t<F>;
        if constexpr (Policy::template accepts<function, item>) {
            // An lvalue is referred to, as by views::all; anything else moves in.
            constexpr bool refer = std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cvref_t<Range>>;
            using input = sequence_input<std::conditional_t<refer, Range, std::remove_cvref_t<Range>>, item>;
            using work_type = imap_work<Policy::remote, Ordered, function, typename Policy::template result<function, item>, input>;
            auto* fresh = new work_type{target(), settings(), std::forward<F>(f), input{std::forward<Range>(range)}};
            state_ptr<void> alive{fresh};
            fresh->start();
            using value = typename work_type::value_type;
            return stream<value>{std::shared_ptr<stream_state<value>>{
                fresh, [alive = std::move(alive)](stream_state<value>* s) { s->abandon(); }}};
        } else {
            Policy::template complain<function, item>();
            return stream<int>{};
        }
    }
};

} // namespace coproc::detail
