// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/no_such_key.hpp>
#include <coproc/detail/proxy_base.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coproc {

/// A dictionary that lives in a manager's server: Python's managed dict. A handle: copies refer to
/// the same dictionary, which lives as long as one of them does, in whatever process.
///
/// Every call is one exchange with the server and atomic; two calls are not: take() removes and
/// returns at once, and a mutex_proxy makes longer sequences safe. Keys are equal when their
/// encoded bytes are: 0.0 and -0.0 differ, and keys that hold unordered containers will not do.
/// keys() and items() come in the order of insertion. Thread safe. *Exceptions* of all calls:
/// end_of_stream_error when the server is gone; timeout_error through within().
template <class K, class V>
class dict_proxy : public detail::proxy_base<dict_proxy<K, V>> {
    static_assert(sendable<K> && sendable<V>,
                  "coproc: what a manager keeps must be sendable (see coproc::sendable)");
    using op = detail::manager_op;

public:
    using key_type = K;    ///< of the dictionary
    using mapped_type = V; ///< of the dictionary

    /// Empty: refers to no dictionary.
    dict_proxy() noexcept = default;

    /// Inserts or replaces.
    void set(const K& key, const V& value) const {
        this->get_(op::dict_set, detail::pack_keyed(key, value));
    }
    /// A copy of the value; std::out_of_range, which names the key if it can, if there is none.
    [[nodiscard]] V at(const K& key) const {
        return found_at(key, this->ask(op::dict_at, detail::pack_keyed(key)));
    }
    /// The value, if there is one.
    [[nodiscard]] std::optional<V> get(const K& key) const {
        return detail::unpack_found<V>(this->ask(op::dict_at, detail::pack_keyed(key)));
    }
    /// The value, or else this one.
    [[nodiscard]] V get(const K& key, V otherwise) const {
        auto value = get(key);
        return value ? std::move(*value) : std::move(otherwise);
    }
    /// Removes the entry and returns its value, if there is one: of several callers, one gets it.
    std::optional<V> take(const K& key) const {
        return detail::unpack_found<V>(
            this->template ask_for<V>(op::dict_take, detail::pack_keyed(key)));
    }
    [[nodiscard]] bool contains(const K& key) const {
        return this->template get_<bool>(op::dict_contains, detail::pack_keyed(key));
    }
    /// Whether there was such an entry.
    bool erase(const K& key) const {
        return this->template get_<bool>(op::dict_erase, detail::pack_keyed(key));
    }
    [[nodiscard]] std::size_t size() const {
        return static_cast<std::size_t>(this->template get_<std::uint64_t>(op::dict_size));
    }
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear() const { this->get_(op::dict_clear); }

    /// Copies, all from the same moment.
    [[nodiscard]] std::vector<K> keys() const {
        return detail::unpack_list<K>(this->ask(op::dict_keys));
    }
    [[nodiscard]] std::vector<V> values() const {
        return detail::unpack_list<V>(this->ask(op::dict_values));
    }
    [[nodiscard]] std::vector<std::pair<K, V>> items() const {
        return entries_in_reply{}(this->ask(op::dict_items));
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation* of any type, until the reply has come:
    /// cancelled_error, at once; what was sent may be carried out all the same. Arguments are
    /// copied now.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(K key, V value, Token&& token = Token()) const {
        auto kept = std::make_shared<const std::pair<K, V>>(std::move(key), std::move(value));
        return this->template start_<void, op::dict_set>(std::forward<Token>(token), [kept] {
            return detail::pack_keyed(kept->first, kept->second);
        });
    }
    template <detail::token_for<V> Token = boost::asio::deferred_t>
    auto async_at(const K& key, Token&& token = Token()) const {
        return this->template start_<V, op::dict_at>(
            std::forward<Token>(token), detail::packed{detail::pack_keyed(key)},
            [key](detail::remote_reply&& reply) { return found_at(key, std::move(reply)); });
    }
    template <detail::token_for<std::optional<V>> Token = boost::asio::deferred_t>
    auto async_get(const K& key, Token&& token = Token()) const {
        return this->template start_<std::optional<V>, op::dict_at>(
            std::forward<Token>(token), detail::packed{detail::pack_keyed(key)},
            detail::read_found<V>{});
    }
    template <detail::token_for<V> Token = boost::asio::deferred_t>
    auto async_get(const K& key, V otherwise, Token&& token = Token()) const {
        auto kept = std::make_shared<V>(std::move(otherwise));
        return this->template start_<V, op::dict_at>(
            std::forward<Token>(token), detail::packed{detail::pack_keyed(key)},
            [kept](detail::remote_reply&& reply) {
                auto value = detail::unpack_found<V>(std::move(reply));
                return value ? std::move(*value) : *kept;
            });
    }
    template <detail::token_for<std::optional<V>> Token = boost::asio::deferred_t>
    auto async_take(const K& key, Token&& token = Token()) const {
        return this->template start_<std::optional<V>, op::dict_take>(
            std::forward<Token>(token), detail::packed{detail::pack_keyed(key)},
            detail::read_found<V>{});
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_contains(const K& key, Token&& token = Token()) const {
        return this->template start_<bool, op::dict_contains>(
            std::forward<Token>(token), detail::packed{detail::pack_keyed(key)});
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_erase(const K& key, Token&& token = Token()) const {
        return this->template start_<bool, op::dict_erase>(std::forward<Token>(token),
                                                           detail::packed{detail::pack_keyed(key)});
    }
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return this->template start_<std::size_t, op::dict_size>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_size{});
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_empty(Token&& token = Token()) const {
        return this->template start_<bool, op::dict_size>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_empty{});
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_clear(Token&& token = Token()) const {
        return this->template start_<void, op::dict_clear>(std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<K>> Token = boost::asio::deferred_t>
    auto async_keys(Token&& token = Token()) const {
        return this->template start_<std::vector<K>, op::dict_keys>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_list<K>{});
    }
    template <detail::token_for<std::vector<V>> Token = boost::asio::deferred_t>
    auto async_values(Token&& token = Token()) const {
        return this->template start_<std::vector<V>, op::dict_values>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_list<V>{});
    }
    template <detail::token_for<std::vector<std::pair<K, V>>> Token = boost::asio::deferred_t>
    auto async_items(Token&& token = Token()) const {
        return this->template start_<std::vector<std::pair<K, V>>, op::dict_items>(
            std::forward<Token>(token), detail::no_payload{}, entries_in_reply{});
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() {
        return "dict<" + detail::wire_name<K>() + ", " + detail::wire_name<V>() + ">";
    }

private:
    static V found_at(const K& key, detail::remote_reply&& reply) {
        if (reply.status() == detail::manager_status::missing) detail::throw_no_such_key(key);
        return detail::unpack<V>(std::move(reply));
    }
    struct entries_in_reply {
        std::vector<std::pair<K, V>> operator()(detail::remote_reply&& reply) const {
            return detail::unpack_all<std::pair<K, V>>(std::move(reply), [](auto& from, auto& r) {
                K key = from.template counted<K>(r);
                return std::pair<K, V>{std::move(key), from.template counted<V>(r)};
            });
        }
    };
};

template <class K, class V>
struct codec<dict_proxy<K, V>> : detail::proxy_codec<dict_proxy<K, V>> {};

} // namespace coproc
