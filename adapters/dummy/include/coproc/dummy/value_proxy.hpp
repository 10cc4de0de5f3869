// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <utility>

namespace coproc::dummy {

/// coproc::value_proxy among the threads of one program, for a value of any type. Thread safe.
template <class T>
class value_proxy : public detail::threads::proxy_base<detail::threads::guarded<T>> {
    using state_type = detail::threads::guarded<T>;
    using base = detail::threads::proxy_base<state_type>;

public:
    using value_type = T; ///< of the value

    /// Empty: refers to no value.
    value_proxy() noexcept = default;
    /// For the manager.
    explicit value_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    /// A copy.
    [[nodiscard]] T get() const {
        return this->locked([](auto& value) -> T { return value; });
    }
    void set(T value) const {
        this->locked([&](auto& present) { present = std::move(value); });
    }
    /// The same under the names of shared_value.
    [[nodiscard]] T load() const { return get(); }
    void store(T value) const { set(std::move(value)); }
    /// Stores this one and returns what was there.
    T exchange(T value) const {
        return this->locked(
            [&](auto& present) { return std::exchange(present, std::move(value)); });
    }
};

} // namespace coproc::dummy
