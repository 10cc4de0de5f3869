// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/sequence_proxy.hpp>

#include <memory>
#include <utility>

namespace coproc::dummy {

/// coproc::array_proxy among the threads of one program. Its calls: see sequence_proxy.
template <class T>
class array_proxy : public sequence_proxy<array_proxy<T>, T> {
    using base = sequence_proxy<array_proxy, T>;

public:
    /// Empty: refers to no array.
    array_proxy() noexcept = default;
    /// For the manager.
    explicit array_proxy(std::shared_ptr<typename base::state_type> state) noexcept
        : base{std::move(state)} {}

    /// For the library: what errors call it.
    static constexpr const char* noun = "an array";
};

} // namespace coproc::dummy
