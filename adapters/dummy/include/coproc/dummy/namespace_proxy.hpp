// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/travel.hpp>
#include <coproc/detail/type_name.hpp>
#include <coproc/dummy/detail/hosted.hpp>
#include <coproc/error.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

namespace coproc::detail::threads {

/// A value of whatever type.
struct named_value {
    std::shared_ptr<const void> value{};
    const std::type_info* type = nullptr;
};
using names = guarded<entries<std::string, named_value>>;

} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::namespace_proxy among the threads of one program, for values of any types. Thread safe.
class namespace_proxy : public detail::threads::proxy_base<detail::threads::names> {
public:
    /// Empty: refers to no namespace.
    namespace_proxy() noexcept = default;
    /// For the manager.
    explicit namespace_proxy(std::shared_ptr<detail::threads::names> state) noexcept
        : proxy_base{std::move(state)} {}

    /// Inserts or replaces, whatever type was there. The value is kept as its travel type: a
    /// literal as std::string.
    template <class T>
    void set(std::string_view name, T&& value) const {
        using stored = detail::travel_type_t<T>;
        detail::threads::named_value kept{
            std::make_shared<const stored>(detail::to_travel(std::forward<T>(value))),
            &typeid(stored)};
        locked([&](auto& all) { all.set(std::string{name}, std::move(kept)); });
    }
    /// A copy; std::out_of_range if there is none, coproc::error if it is of another type.
    template <class T>
    [[nodiscard]] T get(std::string_view name) const {
        return *std::static_pointer_cast<const T>(look_up(name, typeid(T)));
    }
    [[nodiscard]] bool contains(std::string_view name) const;
    /// Whether there was such a name.
    bool erase(std::string_view name) const;
    /// In the order in which they were set first.
    [[nodiscard]] std::vector<std::string> names() const;

private:
    [[nodiscard]] std::shared_ptr<const void> look_up(std::string_view name,
                                                      const std::type_info& type) const;
};

} // namespace coproc::dummy
