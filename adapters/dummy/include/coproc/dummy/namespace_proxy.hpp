// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/travel.hpp>
#include <coproc/detail/type_name.hpp>
#include <coproc/dummy/detail/hosted.hpp>
#include <coproc/error.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

namespace coproc::detail::threads {

/// A value of whatever type.
struct named_value {
    std::shared_ptr<const void> value{};
    const std::type_info* type = nullptr;
};
using names = guarded<entries<std::string, named_value>>;

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::namespace_proxy among the threads of one program, for values of any types. No call
/// waits for anybody, so within() changes nothing. Thread safe.
class namespace_proxy
    : public detail::threads::proxy_base<namespace_proxy, detail::threads::names> {
public:
    /// Empty: refers to no namespace.
    namespace_proxy() noexcept = default;
    /// For the manager.
    explicit namespace_proxy(std::shared_ptr<detail::threads::names> state) noexcept
        : proxy_base{std::move(state)} {}

    /// Inserts or replaces, whatever type was there. The value is kept as its travel type: a
    /// literal as std::string.
    template <class T>
    void set(std::string_view name, T&& value) const {
        using stored = detail::travel_type_t<T>;
        detail::threads::named_value kept{
            std::make_shared<const stored>(detail::to_travel(std::forward<T>(value))),
            &typeid(stored)};
        locked([&](auto& all) { all.set(std::string{name}, std::move(kept)); });
    }
    /// A copy; std::out_of_range if there is none, coproc::error if it is of another type.
    template <class T>
    [[nodiscard]] T get(std::string_view name) const {
        return *std::static_pointer_cast<const T>(look_up(name, typeid(T)));
    }
    [[nodiscard]] bool contains(std::string_view name) const;
    /// Whether there was such a name.
    bool erase(std::string_view name) const;
    /// In the order in which they were set first.
    [[nodiscard]] std::vector<std::string> names() const;

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation*: none, each is done when it is started.
    template <class T, detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(std::string_view name, T&& value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, kept = std::string{name},
             value = detail::travel_type_t<T>(detail::to_travel(
                 std::forward<T>(value)))]() mutable { self.set(kept, std::move(value)); },
            std::forward<Token>(token));
    }
    template <class T, detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_get(std::string_view name, Token&& token = Token()) const {
        return detail::threads::async_now<T>(
            [self = *this, kept = std::string{name}] { return self.template get<T>(kept); },
            std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_contains(std::string_view name, Token&& token = Token()) const {
        return detail::threads::async_now<bool>(
            [self = *this, kept = std::string{name}] { return self.contains(kept); },
            std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = boost::asio::deferred_t>
    auto async_erase(std::string_view name, Token&& token = Token()) const {
        return detail::threads::async_now<bool>(
            [self = *this, kept = std::string{name}] { return self.erase(kept); },
            std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<std::string>> Token = boost::asio::deferred_t>
    auto async_names(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<std::string>>(
            [self = *this] { return self.names(); }, std::forward<Token>(token));
    }

private:
    [[nodiscard]] std::shared_ptr<const void> look_up(std::string_view name,
                                                      const std::type_info& type) const;
};

} // namespace coproc::dummy
