// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/remote.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coproc {

/// A list that lives in a manager's server: Python's managed list. A handle, as dict_proxy is.
/// Every call is one exchange with the server and atomic. Thread safe. *Exceptions*:
/// std::out_of_range for an index beyond the end; end_of_stream_error when the server is gone.
template <class T>
class list_proxy : public detail::proxy_base<list_proxy<T>> {
    static_assert(sendable<T>,
                  "coproc: what a manager keeps must be sendable (see coproc::sendable)");
    using op = detail::manager_op;

public:
    using value_type = T; ///< of the list

    /// Empty: refers to no list.
    list_proxy() noexcept = default;

    void push_back(const T& value) const { this->get_(op::list_push, detail::pack(value)); }
    /// A copy of the element.
    [[nodiscard]] T at(std::size_t index) const {
        return this->template get_<T>(op::list_at, position(index));
    }
    /// Replaces the element.
    void set(std::size_t index, const T& value) const {
        this->get_(op::list_set, detail::pack(std::uint64_t{index}, value));
    }
    /// Puts it before this index, or at the end.
    void insert(std::size_t index, const T& value) const {
        this->get_(op::list_insert, detail::pack(std::uint64_t{index}, value));
    }
    /// Removes the element and returns it.
    T take(std::size_t index) const {
        return this->template get_<T>(op::list_take, position(index));
    }
    void erase(std::size_t index) const { this->get_(op::list_erase, position(index)); }
    /// Removes the last element and returns it, if there is one: of several callers, one gets it.
    std::optional<T> pop_back() const {
        auto reply = this->ask(op::list_pop);
        if (reply.status() == detail::manager_status::missing) return std::nullopt;
        return detail::unpack<T>(std::move(reply));
    }
    [[nodiscard]] std::size_t size() const {
        return static_cast<std::size_t>(this->template get_<std::uint64_t>(op::list_size));
    }
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear() const { this->get_(op::list_clear); }
    /// A copy of all, from one moment.
    [[nodiscard]] std::vector<T> items() const {
        return detail::unpack_all<T>(this->ask(op::list_items), [](auto& reply, auto& r) {
            return reply.template counted<T>(r);
        });
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "list<" + detail::wire_name<T>() + ">"; }

private:
    static detail::remote_payload position(std::size_t index) {
        return detail::pack(std::uint64_t{index});
    }
};

template <class T>
struct codec<list_proxy<T>> : detail::proxy_codec<list_proxy<T>> {};

} // namespace coproc
