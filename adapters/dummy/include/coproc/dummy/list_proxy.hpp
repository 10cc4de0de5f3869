// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/sequence_proxy.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace coproc::dummy {

/// coproc::list_proxy among the threads of one program. For the calls that an array_proxy has, too,
/// see sequence_proxy.
template <class T>
class list_proxy : public sequence_proxy<list_proxy<T>, T> {
    using base = sequence_proxy<list_proxy, T>;

public:
    /// Empty: refers to no list.
    list_proxy() noexcept = default;
    /// For the manager.
    explicit list_proxy(std::shared_ptr<typename base::state_type> state) noexcept
        : base{std::move(state)} {}

    void push_back(T value) const {
        this->locked([&](auto& all) { all.push_back(std::move(value)); });
    }
    /// Puts it before this index, or at the end.
    void insert(std::size_t index, T value) const {
        this->locked([&](auto& all) {
            if (index != all.size()) base::checked(all, index);
            all.insert(all.begin() + static_cast<std::ptrdiff_t>(index), std::move(value));
        });
    }
    /// Removes the element and returns it.
    T take(std::size_t index) const {
        return this->locked([&](auto& all) {
            const auto at = all.begin() + static_cast<std::ptrdiff_t>(base::checked(all, index));
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
    [[nodiscard]] bool empty() const { return this->size() == 0; }
    void clear() const {
        this->locked([](auto& all) { all.clear(); });
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

    /// For the library: what errors call it.
    static constexpr const char* noun = "a list";
};

} // namespace coproc::dummy
