// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/sequence_proxy.hpp>

#include <string>

namespace coproc {

/// An array of a fixed length that lives in a manager's server: Python's managed Array. Each access
/// is an exchange with the server: shared_array is memory, and faster by orders of magnitude on one
/// machine. A handle, as dict_proxy is. Its calls: see sequence_proxy.
template <class T>
class array_proxy : public sequence_proxy<array_proxy<T>, T> {
public:
    /// Empty: refers to no array.
    array_proxy() noexcept = default;

    /// For the library: the name by which programs agree on the type.
    static std::string type() { return "array<" + detail::wire_name<T>() + ">"; }
};

template <class T>
struct codec<array_proxy<T>> : detail::proxy_codec<array_proxy<T>> {};

} // namespace coproc
