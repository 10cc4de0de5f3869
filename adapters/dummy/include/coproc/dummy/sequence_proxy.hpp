// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace coproc::dummy {

/// coproc::sequence_proxy among the threads of one program, for elements of any type:
/// what list_proxy and array_proxy have in common. No call waits for anybody, so within() changes
/// nothing. Thread safe. *Exceptions*: std::out_of_range for an index beyond the end.
template <class Derived, class T>
class sequence_proxy
    : public detail::threads::proxy_base<Derived, detail::threads::guarded<std::vector<T>>> {
protected:
    using state_type = detail::threads::guarded<std::vector<T>>;

private:
    using base = detail::threads::proxy_base<Derived, state_type>;

public:
    using value_type = T; ///< of the elements

    /// A copy of the element.
    [[nodiscard]] T at(std::size_t index) const {
        return this->locked([&](auto& all) -> T { return all[checked(all, index)]; });
    }
    /// Replaces the element.
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
        return detail::threads::async_now<T>([self = copy(), index] { return self.at(index); },
                                             std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(std::size_t index, T value, Token&& token = Token()) const {
        return detail::threads::async_now<void>(
            [self = copy(), index, value = std::move(value)]() mutable {
                self.set(index, std::move(value));
            },
            std::forward<Token>(token));
    }
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return detail::threads::async_now<std::size_t>([self = copy()] { return self.size(); },
                                                       std::forward<Token>(token));
    }
    template <detail::token_for<std::vector<T>> Token = boost::asio::deferred_t>
    auto async_items(Token&& token = Token()) const {
        return detail::threads::async_now<std::vector<T>>([self = copy()] { return self.items(); },
                                                          std::forward<Token>(token));
    }

protected:
    sequence_proxy() noexcept = default;
    explicit sequence_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}
    ~sequence_proxy() = default;
    sequence_proxy(const sequence_proxy&) = default;
    sequence_proxy(sequence_proxy&&) noexcept = default;
    sequence_proxy& operator=(const sequence_proxy&) = default;
    sequence_proxy& operator=(sequence_proxy&&) noexcept = default;

    static std::size_t checked(const std::vector<T>& all, std::size_t index) {
        return detail::threads::checked_index(all.size(), index, Derived::noun);
    }

private:
    [[nodiscard]] Derived copy() const { return static_cast<const Derived&>(*this); }
};

} // namespace coproc::dummy
