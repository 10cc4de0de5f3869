// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <memory>
#include <utility>

namespace coproc::dummy {

/// coproc::value_proxy among the threads of one program, for a value of any type. No call
/// waits for anybody, so within() changes nothing. Thread safe.
template <class T>
class value_proxy
    : public detail::threads::proxy_base<value_proxy<T>, detail::threads::guarded<T>> {
    using state_type = detail::threads::guarded<T>;
    using base = detail::threads::proxy_base<value_proxy, state_type>;

public:
    using value_type = T; ///< of the value

    /// Empty: refers to no value.
    value_proxy() noexcept = default;
    /// For the manager.
    explicit value_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    /// A copy.
    [[nodiscard]] T get() const {
        return this->locked([](auto& value) -> T { return value; });
    }
    void set(T value) const {
        this->locked([&](auto& present) { present = std::move(value); });
    }
    /// The same under the names of shared_value.
    [[nodiscard]] T load() const { return get(); }
    void store(T value) const { set(std::move(value)); }
    /// Stores this one and returns what was there.
    T exchange(T value) const {
        return this->locked(
            [&](auto& present) { return std::exchange(present, std::move(value)); });
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation*: none, each is done when it is started.
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_get(Token&& token = Token()) const {
        return detail::threads::async_now<T>([self = *this] { return self.get(); },
                                             std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(T value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, value = std::move(value)]() mutable { self.set(std::move(value)); },
            std::forward<Token>(token));
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_load(Token&& token = Token()) const {
        return detail::threads::async_now<T>([self = *this] { return self.load(); },
                                             std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_store(T value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, value = std::move(value)]() mutable { self.store(std::move(value)); },
            std::forward<Token>(token));
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_exchange(T value, Token&& token = Token()) const {
        return detail::threads::async_now<T>(
            [self = *this, value = std::move(value)]() mutable {
                return self.exchange(std::move(value));
            },
            std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
