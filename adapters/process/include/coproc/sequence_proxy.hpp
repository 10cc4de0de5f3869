// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/proxy_base.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace coproc {

/// What list_proxy and array_proxy have in common: elements in an order, which live in a manager's
/// server. Every call is one exchange with it and atomic. Thread safe. *Exceptions*:
/// std::out_of_range for an index beyond the end; end_of_stream_error when the server is gone;
/// timeout_error through within().
template <class Derived, class T>
class sequence_proxy : public detail::proxy_base<Derived> {
    static_assert(sendable<T>,
                  "coproc: what a manager keeps must be sendable (see coproc::sendable)");

protected:
    using op = detail::manager_op;

public:
    using value_type = T; ///< of the elements

    /// A copy of the element.
    [[nodiscard]] T at(std::size_t index) const {
        return this->template get_<T>(op::list_at, position(index));
    }
    /// Replaces the element.
    void set(std::size_t index, const T& value) const {
        this->get_(op::list_set, detail::pack(std::uint64_t{index}, value));
    }
    [[nodiscard]] std::size_t size() const {
        return static_cast<std::size_t>(this->template get_<std::uint64_t>(op::list_size));
    }
    /// A copy of all, from one moment.
    [[nodiscard]] std::vector<T> items() const {
        return detail::unpack_list<T>(this->ask(op::list_items));
    }

    /// The asynchronous forms. *Completion signature*: void(std::exception_ptr, R) for what the
    /// blocking form returns, which must be default-constructible, or void(std::exception_ptr).
    /// *Exceptions*: as the blocking form. *Cancellation* of any type, until the reply has come:
    /// cancelled_error, at once; what was sent may be carried out all the same. Arguments are
    /// copied now.
    template <detail::token_for<T> Token = boost::asio::deferred_t>
    auto async_at(std::size_t index, Token&& token = Token()) const {
        return this->template start_<T, op::list_at>(std::forward<Token>(token),
                                                     detail::packed{position(index)});
    }
    template <detail::token_for<void> Token = boost::asio::deferred_t>
    auto async_set(std::size_t index, T value, Token&& token = Token()) const {
        return this->template start_with_<op::list_set>(index, std::move(value),
                                                        std::forward<Token>(token));
    }
    template <detail::token_for<std::size_t> Token = boost::asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return this->template start_<std::size_t, op::list_size>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_size{});
    }
    template <detail::token_for<std::vector<T>> Token = boost::asio::deferred_t>
    auto async_items(Token&& token = Token()) const {
        return this->template start_<std::vector<T>, op::list_items>(
            std::forward<Token>(token), detail::no_payload{}, detail::read_list<T>{});
    }

protected:
    sequence_proxy() noexcept = default;
    ~sequence_proxy() = default;
    sequence_proxy(const sequence_proxy&) = default;
    sequence_proxy(sequence_proxy&&) noexcept = default;
    sequence_proxy& operator=(const sequence_proxy&) = default;
    sequence_proxy& operator=(sequence_proxy&&) noexcept = default;

    static detail::remote_payload position(std::size_t index) {
        return detail::pack(std::uint64_t{index});
    }
    /// An operation that takes an index and a value.
    template <detail::manager_op Op, class Token>
    auto start_with_(std::size_t index, T value, Token&& token) const {
        auto kept = std::make_shared<const T>(std::move(value));
        return this->template start_<void, Op>(std::forward<Token>(token), [index, kept] {
            return detail::pack(std::uint64_t{index}, *kept);
        });
    }
};

} // namespace coproc
