// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One call and one chunk of a map, as they travel. First the parent's side: encoding the call,
// decoding the reply. Then the worker's: the functions that read a call, make it, and write the
// reply.
//
//     call    function, arguments...                    reply   result (nothing for void)
//     chunk   function, u32 count, items...             reply   u32 ok, results..., u8 failed,
//     [exception of item ok]

#include <coproc/codec.hpp>
#include <coproc/detail/check_job.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/invoker.hpp>
#include <coproc/detail/result_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc::detail {

// --- the parent's side ---------------------------------------------------------------------------

template <class F, class... Args>
void size_call(sizer& s, const F& function, const Args&... args) {
    size(s, function);
    (size(s, args), ...);
}

template <class F, class... Args>
void encode_call(writer& w, const F& function, const Args&... args) {
    encode(w, function);
    (encode(w, args), ...);
}

/// R may be void.
template <class R>
R decode_reply(reader& r) {
    if constexpr (!std::is_void_v<R>) return decode<R>(r);
}

/// `at(i)` is item i of the chunk, by reference. An item's type must be one that travels.
template <class F, class At>
void size_chunk(sizer& s, const F& function, std::uint32_t count, const At& at) {
    using item = std::remove_cvref_t<decltype(at(0U))>;
    size(s, function);
    s.bytes(sizeof count);
    if constexpr (fixed_size<item> != variable) {
        s.bytes(count * fixed_element<item>);
    } else {
        for (std::uint32_t i = 0; i != count; ++i)
            size_element<item>(s, at(i));
    }
}

template <class F, class At>
void encode_chunk(writer& w, const F& function, std::uint32_t count, const At& at) {
    using item = std::remove_cvref_t<decltype(at(0U))>;
    encode(w, function);
    w.raw(count);
    if constexpr (fixed_size<item> != variable) {
        std::byte* to = w.claim(count * fixed_element<item>);
        if constexpr (element_padding<item> != 0)
            std::memset(to, 0, count);
        else
            for (std::uint32_t i = 0; i != count; ++i, to += fixed_size<item>)
                codec_for<item>::put(to, at(i));
    } else {
        for (std::uint32_t i = 0; i != count; ++i)
            encode_element<item>(w, at(i));
    }
}

/// Items that lie side by side: those of a kind that is its bytes are copied at once.
template <class F, class Item>
void size_chunk(sizer& s, const F& function, const Item* items, std::uint32_t count) {
    size_chunk(s, function, count, [items](std::uint32_t i) -> const Item& { return items[i]; });
}

template <class F, class Item>
void encode_chunk(writer& w, const F& function, const Item* items, std::uint32_t count) {
    if constexpr (is_bits<Item>) {
        encode(w, function);
        w.raw(count);
        w.bytes(items, count * sizeof(Item));
    } else {
        encode_chunk(w, function, count,
                     [items](std::uint32_t i) -> const Item& { return items[i]; });
    }
}

/// How far a chunk came.
struct chunk_reply {
    std::uint32_t ok = 0;          // results that were taken
    std::exception_ptr error = {}; // of item `ok`
};

/// What follows the `ok` results of a chunk: the next item's failure, or nothing if those were all.
template <class Where>
std::exception_ptr decode_chunk_error(reader& r, std::uint32_t ok, std::uint32_t count,
                                      const Where& where) {
    if (r.raw<std::uint8_t>() == 0) {
        if (ok != count) malformed();
        return {};
    }
    return decode_exception(r, where(ok));
}

/// `take(i, R&&)` gets the results in order (`take(i)` for void), then the failure is returned, if
/// there is one. `where(i)` describes item i of the chunk. Throws serialization_error when the
/// reply is damaged; the results that were taken before are good.
template <class R, class Where, class Take>
chunk_reply decode_chunk_reply(reader& r, std::uint32_t count, const Where& where, Take&& take) {
    chunk_reply reply;
    const auto ok = r.raw<std::uint32_t>();
    if (ok > count) malformed();
    if constexpr (std::is_void_v<R>) {
        for (; reply.ok != ok; ++reply.ok)
            take(reply.ok);
    } else if constexpr (fixed_size<R> != variable) {
        const std::byte* from = r.bytes(ok * fixed_element<R>);
        for (; reply.ok != ok; ++reply.ok, from += fixed_element<R>)
            take(reply.ok, codec_for<R>::get(from));
    } else {
        for (; reply.ok != ok; ++reply.ok)
            take(reply.ok, decode_element<R>(r));
    }
    reply.error = decode_chunk_error(r, ok, count, where);
    return reply;
}

/// The same for results of a kind that is its bytes: all at once to where they belong.
template <class R, class Where>
    requires(is_bits<R>)
chunk_reply decode_chunk_reply_into(R* to, reader& r, std::uint32_t count, const Where& where) {
    chunk_reply reply;
    const auto ok = r.raw<std::uint32_t>();
    if (ok > count) malformed();
    if (ok != 0) std::memcpy(to, r.bytes(ok * sizeof(R)), ok * sizeof(R));
    reply.ok = ok;
    reply.error = decode_chunk_error(r, ok, count, where);
    return reply;
}

// --- the worker's side: one call -----------------------------------------------------------------

template <class F, class R, class... Args>
struct call_invoker {
    static void invoke(call_context& call) {
        call.begin_item(0);
        if constexpr (std::is_void_v<R>) {
            run(call.in());
            call.reply(0, 0);
        } else {
            R result = run(call.in());
            sizer s;
            size(s, result);
            if (s.descriptors() == 0) {
                encode(call.reply(s.size(), 0), result);
                spare_storage::keep(result);
            } else { // the reply borrows them, until it is sent
                auto kept = std::make_shared<R>(std::move(result));
                call.keep(kept);
                encode(call.reply(s.size(), s.descriptors()), *kept);
            }
        }
    }

private:
    /// The arguments are gone when this returns, before the result is encoded.
    static R run(reader& in) {
        F function = decode<F>(in);
        std::tuple<Args...> args{decode<Args>(in)...};
        in.require_whole();
        return std::apply(
            [&](Args&... x) -> R {
                [[maybe_unused]] const std::tuple<keep_at_end<Args>...> kept{x...};
                if constexpr (std::is_void_v<R>)
                    static_cast<void>(invoke_once(function, std::move(x)...));
                else
                    return to_travel(invoke_once(function, std::move(x)...));
            },
            args);
    }
};

// --- the worker's side: a chunk of a map ---------------------------------------------------------

/// Star: the item is a tuple of arguments.
template <class F, class R, class Item, bool Star = false>
struct chunk_invoker {
    static void invoke(call_context& call) {
        call.begin_item(0);
        reader& in = call.in();
        F function = decode<F>(in);
        const auto count = in.raw<std::uint32_t>();
        if (count > in.left() / least_element<Item>) malformed();
        if constexpr (straight) {
            if (count != 0) return invoke_straight(call, function, count);
        }

        result_buffer<R> results{count, in};
        std::exception_ptr error;
        for (std::uint32_t i = 0; i != count; ++i) {
            call.next_item(i);
            try {
                if constexpr (std::is_void_v<R>) {
                    run(function, decode_element<Item>(in));
                    results.add();
                } else {
                    results.add([&] { return run(function, decode_element<Item>(in)); });
                }
            } catch (...) {
                error = std::current_exception();
                break;
            }
        }
        reply(call, std::move(results), std::move(error));
    }

private:
    /// Items and results that are their bytes: read from the call where they lie, written into the
    /// reply as they come.
    static consteval bool find_straight() {
        if constexpr (std::is_void_v<R>)
            return false;
        else
            return is_bits<Item> && is_bits<R> && sizeof(R) <= 4096;
    }
    static constexpr bool straight = find_straight();

    static void invoke_straight(call_context& call, F& function, std::uint32_t count) {
        const std::byte* from = call.in().bytes(count * sizeof(Item));
        const std::size_t size = count * sizeof(R);
        std::byte* const begin =
            call.reply(sizeof count + size + 1, 0).claim(sizeof count + size + 1);
        std::byte* to = begin + sizeof count;
        std::uint32_t i = 0;
        std::exception_ptr error;
        try {
            for (; i != count; ++i, from += sizeof(Item), to += sizeof(R)) {
                call.next_item(i);
                codec_for<R>::put(to, run(function, codec_for<Item>::get(from)));
            }
        } catch (...) {
            error = std::current_exception();
        }
        if (error == nullptr) {
            std::memcpy(begin, &count, sizeof count);
            *to = std::byte{0};
            return;
        }
        // The text of the error needs room: once more, with what was there.
        const std::vector<std::byte> had(begin + sizeof i, to);
        const auto text = encode_exception(error);
        writer& w = call.reply(sizeof i + had.size() + 1 + text.size(), 0);
        w.raw(i);
        w.bytes(had.data(), had.size());
        w.raw(std::uint8_t{1});
        w.bytes(text.data(), text.size());
    }

    static R run(F& function, Item&& item) {
        const keep_at_end kept{item};
        if constexpr (Star) {
            return std::apply([&](auto&&... x) -> R { return call_one(function, std::move(x)...); },
                              std::move(item));
        } else {
            return call_one(function, std::move(item));
        }
    }
    template <class... X>
    static R call_one(F& function, X&&... x) {
        const auto call = [&]() -> decltype(auto) {
            if constexpr (std::is_invocable_v<F&, X...>)
                return std::invoke(function, std::forward<X>(x)...);
            else
                return std::invoke(F(function),
                                   std::forward<X>(x)...); // takes calls as an rvalue only
        };
        if constexpr (std::is_void_v<R>)
            static_cast<void>(call());
        else
            return to_travel(call());
    }

    static void reply(call_context& call, result_buffer<R>&& results, std::exception_ptr error) {
        encoded_results<R> encoded{std::move(results), call, error};
        const auto text = error != nullptr ? encode_exception(error) : std::vector<std::byte>{};
        const std::size_t size = sizeof(std::uint32_t) + encoded.size() + 1 + text.size();
        encoded.keep_owners(call);
        writer& w = call.reply(size, encoded.descriptors());
        w.raw(encoded.count());
        encoded.write(w, call);
        w.raw(static_cast<std::uint8_t>(error != nullptr));
        w.bytes(text.data(), text.size());
    }
};

} // namespace coproc::detail
