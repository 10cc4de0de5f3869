// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace coproc::dummy {

/// coproc::array_proxy among the threads of one program, for elements of any type. No call
/// waits for anybody, so within() changes nothing. Thread safe.
template <class T>
class array_proxy
    : public detail::threads::proxy_base<array_proxy<T>, detail::threads::guarded<std::vector<T>>> {
    using state_type = detail::threads::guarded<std::vector<T>>;
    using base = detail::threads::proxy_base<array_proxy, state_type>;

public:
    using value_type = T; ///< of the array

    /// Empty: refers to no array.
    array_proxy() noexcept = default;
    /// For the manager.
    explicit array_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    /// A copy of the element; std::out_of_range beyond the end, as everywhere here.
    [[nodiscard]] T at(std::size_t index) const {
        return this->locked([&](auto& all) -> T { return all[checked(all, index)]; });
    }
    void set(std::size_t index, T value) const {
        this->locked([&](auto& all) { all[checked(all, index)] = std::move(value); });
    }
    [[nodiscard]] std::size_t size() const {
        return this->locked([](auto& all) { return all.size(); });
    }
    /// A copy of all, from one moment.
    [[nodiscard]] std::vector<T> items() const {
        return this->locked([](auto& all) { return all; });
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation*: none, each is done when it is started.
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
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return detail::threads::async_now<std::size_t>([self = *this] { return self.size(); },
                                                       std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<T>> Token = boost::asio::deferred_t>
    auto async_items(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<T>>([self = *this] { return self.items(); },
                                                          std::forward<Token>(token));
    }

private:
    static std::size_t checked(const std::vector<T>& all, std::size_t index) {
        return detail::threads::checked_index(all.size(), index, "an array");
    }
};

} // namespace coproc::dummy
