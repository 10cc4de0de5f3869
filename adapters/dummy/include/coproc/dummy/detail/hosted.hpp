// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the proxies of a manager on threads refer to, and their common ground.

#include <coproc/detail/patient.hpp>
#include <coproc/dummy/detail/async_now.hpp>
#include <coproc/error.hpp>

#include <boost/asio/deferred.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace coproc::detail::threads {

[[noreturn]] void throw_empty_proxy();

/// The index, or std::out_of_range if `what` of this size has no such element.
std::size_t checked_index(std::size_t size, std::size_t index, const char* what);

/// A value and its lock.
template <class T>
struct guarded {
    template <class... Args>
    explicit guarded(Args&&... args) : value(std::forward<Args>(args)...) {}
    std::mutex mutex{};
    T value;
};

/// Base of the proxies: a handle of an object, or empty.
template <class Derived, class State>
class proxy_base : public patient<Derived> {
public:
    /// Whether there is an object behind it.
    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    /// The same object (not: an equal value).
    friend bool operator==(const proxy_base& a, const proxy_base& b) noexcept {
        return a.state_ == b.state_;
    }

protected:
    proxy_base() noexcept = default;
    explicit proxy_base(std::shared_ptr<State> state) noexcept : state_{std::move(state)} {}
    ~proxy_base() = default;
    proxy_base(const proxy_base&) = default;
    proxy_base(proxy_base&&) noexcept = default;
    proxy_base& operator=(const proxy_base&) = default;
    proxy_base& operator=(proxy_base&&) noexcept = default;

    State& state() const {
        if (state_ == nullptr) throw_empty_proxy();
        return *state_;
    }
    /// Under the lock of a guarded state.
    template <class F>
    decltype(auto) locked(F&& use) const {
        State& s = state();
        const std::scoped_lock lock{s.mutex};
        return std::forward<F>(use)(s.value);
    }

    const std::shared_ptr<State>& held() const noexcept { return state_; } ///< for derived proxies

private:
    std::shared_ptr<State> state_;
};

template <class K>
concept hashable = requires(const K& key) {
    { std::hash<K>{}(key) } -> std::convertible_to<std::size_t>;
    { key == key } -> std::convertible_to<bool>;
};
template <class K>
concept ordered = requires(const K& key) {
    { key < key } -> std::convertible_to<bool>;
};

/// Entries in the order of insertion, found by their keys: by hash, by order, or one by one.
template <class K, class V>
class entries {
public:
    using list = std::list<std::pair<K, V>>;
    using iterator = typename list::iterator;

    iterator find(const K& key) {
        if constexpr (hashable<K> || ordered<K>) {
            const auto found = index_.find(key);
            return found == index_.end() ? all_.end() : found->second;
        } else {
            auto at = all_.begin();
            while (at != all_.end() && !(at->first == key))
                ++at;
            return at;
        }
    }
    void set(K key, V value) {
        const auto at = find(key);
        if (at != all_.end()) {
            at->second = std::move(value);
            return;
        }
        all_.emplace_back(key, std::move(value));
        if constexpr (hashable<K> || ordered<K>)
            index_.emplace(std::move(key), std::prev(all_.end()));
    }
    std::optional<V> take(const K& key) {
        const auto at = find(key);
        if (at == all_.end()) return std::nullopt;
        std::optional<V> value{std::move(at->second)};
        if constexpr (hashable<K> || ordered<K>) index_.erase(key);
        all_.erase(at);
        return value;
    }
    void clear() {
        index_ = {};
        all_.clear();
    }
    [[nodiscard]] list& all() noexcept { return all_; }

private:
    struct none {};
    template <class Key, bool = hashable<Key>, bool = ordered<Key>>
    struct index_of {
        using type = std::unordered_map<Key, iterator>;
    };
    template <class Key>
    struct index_of<Key, false, true> {
        using type = std::map<Key, iterator>;
    };
    template <class Key>
    struct index_of<Key, false, false> {
        using type = none;
    };

    list all_;
    typename index_of<K>::type index_;
};

} // namespace coproc::detail::threads
