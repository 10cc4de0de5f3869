// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A map: all inputs are here, results arrive in place and in any order.

#include <coproc/detail/call_work.hpp>

#include <cstdint>
#include <limits>
#include <memory>
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

/// An input that can be let go before the others. Trivial ones need no letting go and stay
/// contiguous.
template <class T, bool Trivial = std::is_trivially_copyable_v<T>>
class input_array {
public:
    void reserve(std::size_t n) { items_.reserve(n); }
    template <class U>
    void push_back(U&& item) {
        items_.emplace_back(std::forward<U>(item));
    }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    T& operator[](std::size_t i) noexcept { return *items_[i]; }
    const T& operator[](std::size_t i) const noexcept { return *items_[i]; }
    T take(std::size_t i) {
        T item = std::move(*items_[i]);
        items_[i].reset();
        return item;
    }
    void release(std::size_t first, std::size_t count) noexcept {
        for (std::size_t i = first; i < first + count; ++i)
            items_[i].reset();
    }

private:
    std::vector<std::optional<T>> items_;
};

template <class T>
class input_array<T, true> {
    struct slot {
        T value;
    };

public:
    void reserve(std::size_t n) { items_.reserve(n); }
    template <class U>
    void push_back(U&& item) {
        items_.push_back(slot{T(std::forward<U>(item))});
    }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    T& operator[](std::size_t i) noexcept { return items_[i].value; }
    const T& operator[](std::size_t i) const noexcept { return items_[i].value; }
    T take(std::size_t i) { return items_[i].value; }
    void release(std::size_t /*first*/, std::size_t /*count*/) noexcept {}

private:
    std::vector<slot> items_; // vector<bool> would not have elements
};

/// Results by index, written from several threads.
template <class R>
class result_array {
public:
    /// Whether the results lie side by side.
    static constexpr bool direct = std::is_default_constructible_v<R> && !std::is_same_v<R, bool>;

    explicit result_array(std::size_t n) : values_(n) {}
    template <class V>
    void set(std::size_t i, V&& value) {
        values_[i] = std::forward<V>(value);
    }
    R* room(std::size_t i) noexcept
        requires(direct)
    {
        return values_.data() + i;
    }
    std::vector<R> finish() {
        if constexpr (direct) {
            return std::move(values_);
        } else {
            std::vector<R> out;
            out.reserve(values_.size());
            for (auto& v : values_)
                out.push_back(std::move(*v));
            return out;
        }
    }

private:
    std::vector<std::conditional_t<direct, R, std::optional<R>>> values_;
};
template <>
class result_array<void> {
public:
    static constexpr bool direct = false;
    explicit result_array(std::size_t /*n*/) {}
};

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
chunk_outcome accept_chunk(const chunk& c, reader& r, const failure_info& where,
                           Take&& take) noexcept {
    std::uint32_t ok = 0;
    try {
        auto reply =
            decode_chunk_reply<R>(r, c.count, where, [&](std::uint32_t i, auto&&... value) {
                take(i, std::forward<decltype(value)>(value)...);
                ok = i + 1;
            });
        return {reply.ok, std::move(reply.error)};
    } catch (...) {
        auto at = where;
        at.index += ok;
        return {ok, local_failure(std::current_exception(), at)};
    }
}

template <bool Remote, bool Star, class F, class R, class Item>
class map_work final : public pool_result<map_value_t<R>> {
public:
    template <class G>
    map_work(backend_ptr pool, work_settings settings, G&& f, input_array<Item> inputs)
        : pool_result<map_value_t<R>>{std::move(pool), std::move(settings), inputs.size()},
          f_(std::forward<G>(f)),
          inputs_{std::move(inputs)},
          results_{inputs_.size()} {}

    chunk_outcome run(const chunk& c, item_observer& observer) noexcept override {
        for (std::uint32_t i = 0; i < c.count; ++i) {
            const auto at = c.first + i;
            if (!observer.begin_item(i)) return {i, {}};
            try {
                if constexpr (std::is_void_v<R>)
                    call_item<R, Remote, Star>(f_, inputs_.take(at));
                else
                    results_.set(at, call_item<R, Remote, Star>(f_, inputs_.take(at)));
            } catch (...) {
                return {i, local_failure(std::current_exception(), here(*this, at))};
            }
        }
        return {c.count, {}};
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
            size_chunk(s, f_, std::addressof(inputs_[c.first]), c.count);
        else
            size_chunk(s, f_, c.count,
                       [&](std::uint32_t i) -> const Item& { return inputs_[c.first + i]; });
    }
    void encode(const chunk& c, writer& w) const override {
        if constexpr (!Remote)
            return;
        else if constexpr (side_by_side)
            encode_chunk(w, f_, std::addressof(inputs_[c.first]), c.count);
        else
            encode_chunk(w, f_, c.count,
                         [&](std::uint32_t i) -> const Item& { return inputs_[c.first + i]; });
    }
    chunk_outcome accept(const chunk& c, reader& r, const failure_info& where) noexcept override {
        if constexpr (Remote) {
            const auto outcome = take_reply(c, r, where);
            inputs_.release(c.first, outcome.ok);
            return outcome;
        }
        return {};
    }

    void fail(std::uint64_t index, std::exception_ptr error) noexcept override {
        if (index >= failed_at_ && this->error()) return;
        failed_at_ = index;
        this->set_error(std::move(error));
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

    chunk_outcome take_reply(const chunk& c, reader& r, const failure_info& where) noexcept {
        if constexpr (result_array<R>::direct) {
            if constexpr (is_bits<R>) {
                try {
                    auto reply =
                        decode_chunk_reply_into<R>(results_.room(c.first), r, c.count, where);
                    return {reply.ok, std::move(reply.error)};
                } catch (...) {
                    return {0, local_failure(std::current_exception(), where)};
                }
            }
        }
        return accept_chunk<R>(c, r, where, [&](std::uint32_t i, auto&&... value) {
            if constexpr (!std::is_void_v<R>)
                results_.set(c.first + i, std::forward<decltype(value)>(value)...);
        });
    }

    [[no_unique_address]] F f_;
    input_array<Item> inputs_;
    result_array<R> results_;
    std::uint64_t failed_at_ = std::numeric_limits<std::uint64_t>::max();
};

} // namespace coproc::detail
