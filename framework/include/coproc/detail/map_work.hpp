// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A map: all inputs are here, results arrive in place and in any order.

#include <coproc/detail/call_work.hpp>
#include <coproc/detail/map_items.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

template <class R>
struct map_value {
    using type = std::vector<R>;
};
template <>
struct map_value<void> {
    using type = void;
};
template <class R>
using map_value_t = typename map_value<R>::type;

/// `Star`: items are tuples that are unpacked into arguments.
template <class R, bool Remote, bool Star, class F, class Item>
R call_item(F& f, Item&& item) {
    const auto call = [&f](auto&&... x) -> decltype(auto) {
        if constexpr (std::is_invocable_v<F&, decltype(x)...>)
            return std::invoke(f, std::forward<decltype(x)>(x)...);
        else
            return std::invoke(F(f),
                               std::forward<decltype(x)>(x)...); // takes calls as an rvalue only
    };
    const auto unpack = [&]() -> decltype(auto) {
        if constexpr (Star)
            return std::apply(call, std::forward<Item>(item));
        else
            return call(std::forward<Item>(item));
    };
    if constexpr (std::is_void_v<R>)
        static_cast<void>(unpack());
    else if constexpr (Remote)
        return to_travel(unpack());
    else
        return unpack();
}

/// Takes a worker's reply to a chunk; a reply that cannot be read is the failure of the item it
/// broke off at.
template <class R, class Take>
chunk_outcome accept_chunk(const chunk& c, reader& r, const origin& from, Take&& take) noexcept {
    std::uint32_t ok = 0;
    const auto where = [&](std::uint32_t i) { return from.where(*c.of, c.first + i); };
    try {
        auto reply =
            decode_chunk_reply<R>(r, c.count, where, [&](std::uint32_t i, auto&&... value) {
                take(i, std::forward<decltype(value)>(value)...);
                ok = i + 1;
            });
        return {reply.ok, std::move(reply.error)};
    } catch (...) {
        return {ok, local_failure(std::current_exception(), where(ok))};
    }
}

inline constexpr std::size_t largest_borrowed = 4096;

/// Whether items can be lent: those that are copied byte by byte whenever they are read. Where
/// calls never leave the process they are not: a function may have references, and change by them
/// what it is called with.
template <bool Remote, class Item>
consteval bool find_borrowable() {
    if constexpr (Remote)
        return is_bits<Item> && std::is_trivially_copyable_v<Item> &&
               sizeof(Item) <= largest_borrowed;
    else
        return false;
}
template <bool Remote, class Item>
inline constexpr bool can_borrow = find_borrowable<Remote, Item>();

struct end_of_loan {
    void operator()(loan* l) const noexcept { l->end(); }
};

template <bool Remote, bool Star, class F, class R, class Item>
class map_work final : public pool_result<map_value_t<R>> {
public:
    template <class G>
    map_work(backend_ptr pool, work_settings settings, G&& f, input_array<Item> inputs)
        : pool_result<map_value_t<R>>{std::move(pool), std::move(settings), inputs.size()},
          f_{std::in_place, std::forward<G>(f)},
          inputs_{std::move(inputs)},
          results_{inputs_.size()} {}

    /// Whether the inputs can stay with a caller that waits: `inputs` are lent then, and call_in()
    /// is called before he goes on.
    static constexpr bool may_borrow = can_borrow<Remote, Item>;
    void call_in() noexcept { loan_.call_in(); }

    chunk_outcome run(const chunk& c, item_observer& observer) noexcept override {
        results_.make_room(c.first + c.count);
        if constexpr (may_borrow)
            if (inputs_.lent()) return run_borrowed(c, observer);
        return run_items(c, 0, c.count, observer,
                         [this](std::uint64_t at) { return inputs_.take(at); });
    }

    [[nodiscard]] invoker remote() const noexcept override {
        if constexpr (Remote)
            return &chunk_invoker<F, R, Item, Star>::invoke;
        else
            return nullptr;
    }
    void size(const chunk& c, sizer& s) const override {
        if constexpr (!Remote)
            return;
        else if constexpr (side_by_side)
            size_chunk(s, *f_, inputs_.from(c.first), c.count); // looks at none that may be lent
        else
            size_chunk(s, *f_, c.count,
                       [&](std::uint32_t i) -> const Item& { return inputs_[c.first + i]; });
    }
    void encode(const chunk& c, writer& w) const override {
        if constexpr (!Remote)
            return;
        else if constexpr (side_by_side)
            encode_side_by_side(c, w);
        else
            encode_chunk(w, *f_, c.count,
                         [&](std::uint32_t i) -> const Item& { return inputs_[c.first + i]; });
    }
    chunk_outcome accept(const chunk& c, reader& r, const origin& from) noexcept override {
        if constexpr (Remote) return take_reply(c, r, from);
        return {};
    }

    void fail(std::uint64_t index, std::exception_ptr error) noexcept override {
        if (index >= failed_at_ && this->error()) return;
        failed_at_ = index;
        this->set_error(std::move(error));
    }
    void let_go() noexcept override {
        inputs_.release(0, inputs_.size());
        f_.reset();
    }
    void let_go(const chunk& c, std::uint32_t ok) noexcept override {
        inputs_.release(c.first, ok);
    }
    void finish() noexcept override {
        if constexpr (std::is_void_v<R>) {
            this->complete();
        } else {
            if (!this->error()) {
                try {
                    this->emplace(results_.finish());
                } catch (...) {
                    this->set_error(std::current_exception());
                }
            }
            this->complete();
        }
    }
    [[nodiscard]] bool many() const noexcept override { return true; }

private:
    static constexpr bool side_by_side = std::is_trivially_copyable_v<Item>; // in input_array

    template <class Take>
    chunk_outcome run_items(const chunk& c, std::uint32_t begin, std::uint32_t end,
                            item_observer& observer, const Take& take) noexcept {
        for (std::uint32_t i = begin; i < end; ++i) {
            const auto at = c.first + i;
            if (!observer.begin_item(i)) return {i, {}};
            try {
                if constexpr (std::is_void_v<R>)
                    call_item<R, Remote, Star>(*f_, take(at));
                else
                    results_.set(at, call_item<R, Remote, Star>(*f_, take(at)));
            } catch (...) {
                return {i, local_failure(std::current_exception(), here(*this, at))};
            }
        }
        return {end, {}};
    }

    /// Copies some at a time: a thread that is given up must not look at what its caller lent.
    chunk_outcome run_borrowed(const chunk& c, item_observer& observer) noexcept {
        constexpr std::uint32_t some = largest_borrowed / sizeof(Item);
        alignas(Item) std::byte copies[some * sizeof(Item)];
        for (std::uint32_t begin = 0; begin < c.count; begin += some) {
            const std::uint32_t end = begin + std::min(some, c.count - begin);
            if (!loan_.begin())
                return {begin, local_failure(std::make_exception_ptr(map_is_over()),
                                             here(*this, c.first + begin))};
            std::memcpy(copies, inputs_.from(c.first + begin), (end - begin) * sizeof(Item));
            loan_.end();
            const auto* const items = std::launder(reinterpret_cast<const Item*>(copies));
            auto outcome = run_items(c, begin, end, observer, [&](std::uint64_t at) -> Item {
                return items[at - c.first - begin];
            });
            if (outcome.ok != end) return outcome;
        }
        return {c.count, {}};
    }

    static cancelled_error map_is_over() { return cancelled_error{"coproc: the map is over"}; }

    void encode_side_by_side(const chunk& c, writer& w) const {
        if constexpr (may_borrow) {
            if (inputs_.lent()) {
                // Over: the map is, too, and nobody wants this chunk any more.
                if (!loan_.begin()) throw map_is_over();
                const std::unique_ptr<loan, end_of_loan> reading{&loan_};
                encode_chunk(w, *f_, inputs_.from(c.first), c.count);
                return;
            }
        }
        encode_chunk(w, *f_, inputs_.from(c.first), c.count);
    }

    chunk_outcome take_reply(const chunk& c, reader& r, const origin& from) noexcept {
        results_.make_room(c.first + c.count);
        if constexpr (result_array<R>::direct) {
            if constexpr (is_bits<R>) {
                const auto where = [&](std::uint32_t i) { return from.where(*this, c.first + i); };
                try {
                    auto reply =
                        decode_chunk_reply_into<R>(results_.room(c.first), r, c.count, where);
                    return {reply.ok, std::move(reply.error)};
                } catch (...) {
                    return {0, local_failure(std::current_exception(), where(0))};
                }
            }
        }
        return accept_chunk<R>(c, r, from, [&](std::uint32_t i, auto&&... value) {
            if constexpr (!std::is_void_v<R>)
                results_.set(c.first + i, std::forward<decltype(value)>(value)...);
        });
    }

    std::optional<F> f_;
    input_array<Item> inputs_;
    result_array<R> results_;
    mutable loan loan_;
    std::uint64_t failed_at_ = std::numeric_limits<std::uint64_t>::max();
};

} // namespace coproc::detail
