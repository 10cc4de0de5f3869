// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/no_such_key.hpp>
#include <coproc/dummy/detail/hosted.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace coproc::dummy {

/// coproc::dict_proxy among the threads of one program, for keys and values of any types; keys are
/// equal when == says so. Copies are made where values come out. No call waits for anybody, so
/// within() changes nothing. Thread safe.
template <class K, class V>
class dict_proxy
    : public detail::threads::proxy_base<dict_proxy<K, V>,
                                         detail::threads::guarded<detail::threads::entries<K, V>>> {
    using state_type = detail::threads::guarded<detail::threads::entries<K, V>>;
    using base = detail::threads::proxy_base<dict_proxy, state_type>;

public:
    using key_type = K;    ///< of the dictionary
    using mapped_type = V; ///< of the dictionary

    /// Empty: refers to no dictionary.
    dict_proxy() noexcept = default;
    /// For the manager.
    explicit dict_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    /// Inserts or replaces.
    void set(K key, V value) const {
        this->locked([&](auto& all) { all.set(std::move(key), std::move(value)); });
    }
    /// A copy of the value; std::out_of_range, which names the key if it can, if there is none.
    [[nodiscard]] V at(const K& key) const {
        return this->locked([&](auto& all) -> V {
            const auto found = all.find(key);
            if (found == all.all().end()) detail::throw_no_such_key(key);
            return found->second;
        });
    }
    /// The value, if there is one.
    [[nodiscard]] std::optional<V> get(const K& key) const {
        return this->locked([&](auto& all) -> std::optional<V> {
            const auto found = all.find(key);
            if (found == all.all().end()) return std::nullopt;
            return found->second;
        });
    }
    /// The value, or else this one.
    [[nodiscard]] V get(const K& key, V otherwise) const {
        auto value = get(key);
        return value ? std::move(*value) : std::move(otherwise);
    }
    /// Removes the entry and returns its value, if there is one.
    std::optional<V> take(const K& key) const {
        return this->locked([&](auto& all) { return all.take(key); });
    }
    [[nodiscard]] bool contains(const K& key) const {
        return this->locked([&](auto& all) { return all.find(key) != all.all().end(); });
    }
    /// Whether there was such an entry.
    bool erase(const K& key) const { return take(key).has_value(); }
    [[nodiscard]] std::size_t size() const {
        return this->locked([](auto& all) { return all.all().size(); });
    }
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear() const {
        this->locked([](auto& all) { all.clear(); });
    }
    /// Copies, all from the same moment, in the order of insertion.
    [[nodiscard]] std::vector<K> keys() const {
        return this->locked([](auto& all) {
            std::vector<K> out;
            for (const auto& [key, value] : all.all())
                out.push_back(key);
            return out;
        });
    }
    [[nodiscard]] std::vector<V> values() const {
        return this->locked([](auto& all) {
            std::vector<V> out;
            for (const auto& [key, value] : all.all())
                out.push_back(value);
            return out;
        });
    }
    [[nodiscard]] std::vector<std::pair<K, V>> items() const {
        return this->locked([](auto& all) {
            return std::vector<std::pair<K, V>>(all.all().begin(), all.all().end());
        });
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation*: none, each is done when it is started.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(K key, V value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, key = std::move(key), value = std::move(value)]() mutable {
                self.set(std::move(key), std::move(value));
            },
            std::forward<Token>(token));
    }
    template <detail::token_for<V> Token = boost::asio::deferred_t>
    auto async_at(const K& key, Token&& token = Token()) const {
        return detail::threads::async_now<V>([self = *this, key] { return self.at(key); },
                                             std::forward<Token>(token));
    }
    template <detail::token_for<std::optional<V>> Token = boost::asio::deferred_t>
    auto async_get(const K& key, Token&& token = Token()) const {
        return detail::threads::async_now<std::optional<V>>(
            [self = *this, key] { return self.get(key); }, std::forward<Token>(token));
    }
    template <detail::token_for<V> Token = boost::asio::deferred_t>
    auto async_get(const K& key, V otherwise, Token&& token = Token()) const {
        return detail::threads::async_now<V>(
            [self = *this, key, otherwise = std::move(otherwise)]() mutable {
                return self.get(key, std::move(otherwise));
            },
            std::forward<Token>(token));
    }
    template <detail::token_for<std::optional<V>> Token = boost::asio::deferred_t>
    auto async_take(const K& key, Token&& token = Token()) const {
        return detail::threads::async_now<std::optional<V>>(
            [self = *this, key] { return self.take(key); }, std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_contains(const K& key, Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this, key] { return self.contains(key); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_erase(const K& key, Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this, key] { return self.erase(key); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return detail::threads::async_now<std::size_t>([self = *this] { return self.size(); },
                                                       std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_empty(Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this] { return self.empty(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_clear(Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this] { self.clear(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<K>> Token = boost::asio::deferred_t>
    auto async_keys(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<K>>([self = *this] { return self.keys(); },
                                                          std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<V>> Token = boost::asio::deferred_t>
    auto async_values(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<V>>([self = *this] { return self.values(); },
                                                          std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<std::pair<K, V>>> Token = boost::asio::deferred_t>
    auto async_items(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<std::pair<K, V>>>(
            [self = *this] { return self.items(); }, std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
