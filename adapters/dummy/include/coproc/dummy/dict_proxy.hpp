// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace coproc::dummy {

/// coproc::dict_proxy among the threads of one program, for keys and values of any types; keys are
/// equal when == says so. Copies are made where values come out. Thread safe.
template <class K, class V>
class dict_proxy
    : public detail::threads::proxy_base<detail::threads::guarded<detail::threads::entries<K, V>>> {
    using state_type = detail::threads::guarded<detail::threads::entries<K, V>>;
    using base = detail::threads::proxy_base<state_type>;

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
    /// A copy of the value; std::out_of_range if there is none.
    [[nodiscard]] V at(const K& key) const {
        return this->locked([&](auto& all) -> V {
            const auto found = all.find(key);
            if (found == all.all().end())
                throw std::out_of_range{"coproc: the dict has no such key"};
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
};

} // namespace coproc::dummy
