// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>

#include <memory>
#include <string>
#include <utility>

namespace coproc {

/// One value that lives in a manager's server: Python's managed Value. A handle, as dict_proxy is.
/// Every call is one exchange with the server and atomic. Thread safe. *Exceptions*:
/// end_of_stream_error when the server is gone; timeout_error through within().
template <class T>
class value_proxy : public detail::proxy_base<value_proxy<T>> {
    static_assert(sendable<T>,
                  "coproc: what a manager keeps must be sendable (see coproc::sendable)");
    using op = detail::manager_op;

public:
    using value_type = T; ///< of the value

    /// Empty: refers to no value.
    value_proxy() noexcept = default;

    /// A copy.
    [[nodiscard]] T get() const { return this->template get_<T>(op::value_load); }
    void set(const T& value) const { this->get_(op::value_store, detail::pack(value)); }
    /// The same under the names of shared_value.
    [[nodiscard]] T load() const { return get(); }
    void store(const T& value) const { set(value); }
    /// Stores this one and returns what was there.
    T exchange(const T& value) const {
        return this->template get_<T>(op::value_exchange, detail::pack(value));
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation* of any type, until the reply has come:
    /// cancelled_error, at once; what was sent may be carried out all the same. Arguments are
    /// copied now.
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_get(Token&& token = Token()) const {
        return this->template start_<T, op::value_load>(std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(T value, Token&& token = Token()) const {
        auto kept = std::make_shared<const T>(std::move(value));
        return this->template start_<void, op::value_store>(std::forward<Token>(token),
                                                            [kept] { return detail::pack(*kept); });
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_load(Token&& token = Token()) const {
        return async_get(std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_store(T value, Token&& token = Token()) const {
        return async_set(std::move(value), std::forward<Token>(token));
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_exchange(T value, Token&& token = Token()) const {
        auto kept = std::make_shared<const T>(std::move(value));
        return this->template start_<T, op::value_exchange>(std::forward<Token>(token),
                                                            [kept] { return detail::pack(*kept); });
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "value<" + detail::wire_name<T>() + ">"; }
};

template <class T>
struct codec<value_proxy<T>> : detail::proxy_codec<value_proxy<T>> {};

} // namespace coproc
