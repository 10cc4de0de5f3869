// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/remote.hpp>

#include <cstddef>
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
/// end_of_stream_error when the server is gone.
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
    /// A copy of the value; std::out_of_range if there is none.
    [[nodiscard]] V at(const K& key) const {
        return this->template get_<V>(op::dict_at, detail::pack_keyed(key));
    }
    /// The value, if there is one.
    [[nodiscard]] std::optional<V> get(const K& key) const {
        return found(this->ask(op::dict_at, detail::pack_keyed(key)));
    }
    /// The value, or else this one.
    [[nodiscard]] V get(const K& key, V otherwise) const {
        auto value = get(key);
        return value ? std::move(*value) : std::move(otherwise);
    }
    /// Removes the entry and returns its value, if there is one: of several callers, one gets it.
    std::optional<V> take(const K& key) const {
        return found(this->ask(op::dict_take, detail::pack_keyed(key)));
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
        return all<K>(op::dict_keys,
                      [](auto& reply, auto& r) { return reply.template counted<K>(r); });
    }
    [[nodiscard]] std::vector<V> values() const {
        return all<V>(op::dict_values,
                      [](auto& reply, auto& r) { return reply.template counted<V>(r); });
    }
    [[nodiscard]] std::vector<std::pair<K, V>> items() const {
        return all<std::pair<K, V>>(op::dict_items, [](auto& reply, auto& r) {
            K key = reply.template counted<K>(r);
            return std::pair<K, V>{std::move(key), reply.template counted<V>(r)};
        });
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() {
        return "dict<" + detail::wire_name<K>() + ", " + detail::wire_name<V>() + ">";
    }

private:
    static std::optional<V> found(detail::remote_reply reply) {
        if (reply.status() == detail::manager_status::missing) return std::nullopt;
        return detail::unpack<V>(std::move(reply));
    }
    template <class T, class Next>
    std::vector<T> all(op what, Next next) const {
        return detail::unpack_all<T>(this->ask(what), next);
    }
};

template <class K, class V>
struct codec<dict_proxy<K, V>> : detail::proxy_codec<dict_proxy<K, V>> {};

} // namespace coproc
