// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/remote.hpp>

#include <string>

namespace coproc {

/// One value that lives in a manager's server: Python's managed Value. A handle, as dict_proxy is.
/// Every call is one exchange with the server and atomic. Thread safe. *Exceptions*:
/// end_of_stream_error when the server is gone.
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

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "value<" + detail::wire_name<T>() + ">"; }
};

template <class T>
struct codec<value_proxy<T>> : detail::proxy_codec<value_proxy<T>> {};

} // namespace coproc
