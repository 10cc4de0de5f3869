// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/remote.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace coproc {

/// An array of a fixed length that lives in a manager's server: Python's managed Array. Each access
/// is an exchange with the server: shared_array is memory, and faster by orders of magnitude on one
/// machine. A handle, as dict_proxy is. Thread safe. *Exceptions*: std::out_of_range;
/// end_of_stream_error when the server is gone.
template <class T>
class array_proxy : public detail::proxy_base<array_proxy<T>> {
    static_assert(sendable<T>,
                  "coproc: what a manager keeps must be sendable (see coproc::sendable)");
    using op = detail::manager_op;

public:
    using value_type = T; ///< of the array

    /// Empty: refers to no array.
    array_proxy() noexcept = default;

    /// A copy of the element.
    [[nodiscard]] T at(std::size_t index) const {
        return this->template get_<T>(op::list_at, detail::pack(std::uint64_t{index}));
    }
    void set(std::size_t index, const T& value) const {
        this->get_(op::list_set, detail::pack(std::uint64_t{index}, value));
    }
    [[nodiscard]] std::size_t size() const {
        return static_cast<std::size_t>(this->template get_<std::uint64_t>(op::list_size));
    }
    /// A copy of all, from one moment.
    [[nodiscard]] std::vector<T> items() const {
        return detail::unpack_all<T>(this->ask(op::list_items), [](auto& reply, auto& r) {
            return reply.template counted<T>(r);
        });
    }

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "array<" + detail::wire_name<T>() + ">"; }
};

template <class T>
struct codec<array_proxy<T>> : detail::proxy_codec<array_proxy<T>> {};

} // namespace coproc
