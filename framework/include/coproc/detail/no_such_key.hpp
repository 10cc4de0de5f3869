// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace coproc::detail {

template <class K>
concept readable_text = std::is_convertible_v<const K&, std::string_view> && !std::is_pointer_v<K>;
template <class K>
concept readable_number = std::integral<K> && requires(const K& key) { std::to_string(key); } &&
                          !std::same_as<K, bool> && (sizeof(K) > 1);

/// Throws std::out_of_range, which names the key where that is a text or a number.
template <class K>
[[noreturn]] void throw_no_such_key(const K& key) {
    if constexpr (readable_text<K>)
        throw std::out_of_range{"coproc: the dict has no key \"" +
                                std::string{std::string_view{key}} + '"'};
    else if constexpr (readable_number<K>)
        throw std::out_of_range{"coproc: the dict has no key " + std::to_string(key)};
    else
        throw std::out_of_range{"coproc: the dict has no such key"};
}

} // namespace coproc::detail
