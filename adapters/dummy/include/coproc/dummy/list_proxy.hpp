// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace coproc::dummy {

/// coproc::list_proxy among the threads of one program, for elements of any type. No call
/// waits for anybody, so within() changes nothing. Thread safe.
template <class T>
class list_proxy
    : public detail::threads::proxy_base<list_proxy<T>, detail::threads::guarded<std::vector<T>>> {
    using state_type = detail::threads::guarded<std::vector<T>>;
    using base = detail::threads::proxy_base<list_proxy, state_type>;

public:
    using value_type = T; ///< of the list

    /// Empty: refers to no list.
    list_proxy() noexcept = default;
    /// For the manager.
    explicit list_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    void push_back(T value) const {
        this->locked([&](auto& all) { all.push_back(std::move(value)); });
    }
    /// A copy of the element; std::out_of_range beyond the end, as everywhere here.
    [[nodiscard]] T at(std::size_t index) const {
        return this->locked([&](auto& all) -> T { return all[checked(all, index)]; });
    }
    /// Replaces the element.
    void set(std::size_t index, T value) const {
        this->locked([&](auto& all) { all[checked(all, index)] = std::move(value); });
    }
    /// Puts it before this index, or at the end.
    void insert(std::size_t index, T value) const {
        this->locked([&](auto& all) {
            if (index != all.size()) checked(all, index);
            all.insert(all.begin() + static_cast<std::ptrdiff_t>(index), std::move(value));
        });
    }
    /// Removes the element and returns it.
    T take(std::size_t index) const {
        return this->locked([&](auto& all) {
            const auto at = all.begin() + static_cast<std::ptrdiff_t>(checked(all, index));
            T value = std::move(*at);
            all.erase(at);
            return value;
        });
    }
    void erase(std::size_t index) const { static_cast<void>(take(index)); }
    /// Removes the last element and returns it, if there is one.
    std::optional<T> pop_back() const {
        return this->locked([](auto& all) -> std::optional<T> {
            if (all.empty()) return std::nullopt;
            std::optional<T> value{std::move(all.back())};
            all.pop_back();
            return value;
        });
    }
    [[nodiscard]] std::size_t size() const {
        return this->locked([](auto& all) { return all.size(); });
    }
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear() const {
        this->locked([](auto& all) { all.clear(); });
    }
    /// A copy of all, from one moment.
    [[nodiscard]] std::vector<T> items() const {
        return this->locked([](auto& all) { return all; });
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation*: none, each is done when it is started.
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_push_back(T value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, value = std::move(value)]() mutable {
                self.push_back(std::move(value));
            },
            std::forward<Token>(token));
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_at(std::size_t index, Token&& token = Token()) const {
        return detail::threads::async_now<T>([self = *this, index] { return self.at(index); },
                                             std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(std::size_t index, T value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, index, value = std::move(value)]() mutable {
                self.set(index, std::move(value));
            },
            std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_insert(std::size_t index, T value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = *this, index, value = std::move(value)]() mutable {
                self.insert(index, std::move(value));
            },
            std::forward<Token>(token));
    }
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_take(std::size_t index, Token&& token = Token()) const {
        return detail::threads::async_now<T>([self = *this, index] { return self.take(index); },
                                             std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_erase(std::size_t index, Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this, index] { self.erase(index); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<std::optional<T>> Token = boost::asio::deferred_t>
    auto async_pop_back(Token&& token = Token()) const {
        return detail::threads::async_now<std::optional<T>>(
            [self = *this] { return self.pop_back(); }, std::forward<Token>(token));
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
    template <detail::token_for<std::vector<T>> Token = boost::asio::deferred_t>
    auto async_items(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<T>>([self = *this] { return self.items(); },
                                                          std::forward<Token>(token));
    }

private:
    static std::size_t checked(const std::vector<T>& all, std::size_t index) {
        return detail::threads::checked_index(all.size(), index, "a list");
    }
};

} // namespace coproc::dummy
