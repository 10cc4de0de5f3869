// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/sequence_proxy.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace coproc {

/// A list that lives in a manager's server: Python's managed list. A handle, as dict_proxy is. For
/// the calls that an array_proxy has, too, and the exceptions of all of them, see sequence_proxy.
template <class T>
class list_proxy : public sequence_proxy<list_proxy<T>, T> {
    using base = sequence_proxy<list_proxy, T>;
    using typename base::op;

public:
    /// Empty: refers to no list.
    list_proxy() noexcept = default;

    void push_back(const T& value) const { this->get_(op::list_push, detail::pack(value)); }
    /// Puts it before this index, or at the end.
    void insert(std::size_t index, const T& value) const {
        this->get_(op::list_insert, detail::pack(std::uint64_t{index}, value));
    }
    /// Removes the element and returns it.
    T take(std::size_t index) const {
        return this->template get_<T>(op::list_take, base::position(index));
    }
    void erase(std::size_t index) const { this->get_(op::list_erase, base::position(index)); }
    /// Removes the last element and returns it, if there is one: of several callers, one gets it.
    std::optional<T> pop_back() const {
        return detail::unpack_found<T>(this->template ask_for<T>(op::list_pop));
    }
    [[nodiscard]] bool empty() const { return this->size() == 0; }
    void clear() const { this->get_(op::list_clear); }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation* of any type, until the reply has come:
    /// cancelled_error, at once; what was sent may be carried out all the same. Arguments are
    /// copied now.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_push_back(T value, Token&& token = Token()) const {
        auto kept = std::make_shared<const T>(std::move(value));
        return this->template start_<void, op::list_push>(std::forward<Token>(token),
                                                          [kept] { return detail::pack(*kept); });
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_insert(std::size_t index, T value, Token&& token = Token()) const {
        return this->template start_with_<op::list_insert>(index, std::move(value),
                                                           std::forward<Token>(token));
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_take(std::size_t index, Token&& token = Token()) const {
        return this->template start_<T, op::list_take>(std::forward<Token>(token),
                                                       detail::packed{base::position(index)});
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_erase(std::size_t index, Token&& token = Token()) const {
        return this->template start_<void, op::list_erase>(std::forward<Token>(token),
                                                           detail::packed{base::position(index)});
    }
    template <detail::token_for<std::optional<T>> Token = boost::asio::deferred_t>
    auto async_pop_back(Token&& token = Token()) const {
        return this->template start_<std::optional<T>, op::list_pop>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_found<T>{});
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_empty(Token&& token = Token()) const {
        return this->template start_<bool, op::list_size>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_empty{});
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_clear(Token&& token = Token()) const {
        return this->template start_<void, op::list_clear>(std::forward<Token>(token));
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "list<" + detail::wire_name<T>() + ">"; }
};

template <class T>
struct codec<list_proxy<T>> : detail::proxy_codec<list_proxy<T>> {};

} // namespace coproc
