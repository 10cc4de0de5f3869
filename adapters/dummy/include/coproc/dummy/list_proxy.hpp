// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/hosted.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coproc::dummy {

/// coproc::list_proxy among the threads of one program, for elements of any type. Thread safe.
template <class T>
class list_proxy : public detail::threads::proxy_base<detail::threads::guarded<std::vector<T>>> {
    using state_type = detail::threads::guarded<std::vector<T>>;
    using base = detail::threads::proxy_base<state_type>;

public:
    using value_type = T; ///< of the list

    /// Empty: refers to no list.
    list_proxy() noexcept = default;
    /// For the manager.
    explicit list_proxy(std::shared_ptr<state_type> state) noexcept : base{std::move(state)} {}

    void push_back(T value) const {
        this->locked([&](auto& all) { all.push_back(std::move(value)); });
    }
    /// A copy of the element; std::out_of_range beyond the end, as everywhere here.
    [[nodiscard]] T at(std::size_t index) const {
        return this->locked([&](auto& all) -> T { return all[checked(all, index)]; });
    }
    /// Replaces the element.
    void set(std::size_t index, T value) const {
        this->locked([&](auto& all) { all[checked(all, index)] = std::move(value); });
    }
    /// Puts it before this index, or at the end.
    void insert(std::size_t index, T value) const {
        this->locked([&](auto& all) {
            if (index != all.size()) checked(all, index);
            all.insert(all.begin() + static_cast<std::ptrdiff_t>(index), std::move(value));
        });
    }
    /// Removes the element and returns it.
    T take(std::size_t index) const {
        return this->locked([&](auto& all) {
            const auto at = all.begin() + static_cast<std::ptrdiff_t>(checked(all, index));
            T value = std::move(*at);
            all.erase(at);
            return value;
        });
    }
    void erase(std::size_t index) const { static_cast<void>(take(index)); }
    /// Removes the last element and returns it, if there is one.
    std::optional<T> pop_back() const {
        return this->locked([](auto& all) -> std::optional<T> {
            if (all.empty()) return std::nullopt;
            std::optional<T> value{std::move(all.back())};
            all.pop_back();
            return value;
        });
    }
    [[nodiscard]] std::size_t size() const {
        return this->locked([](auto& all) { return all.size(); });
    }
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear() const {
        this->locked([](auto& all) { all.clear(); });
    }
    /// A copy of all, from one moment.
    [[nodiscard]] std::vector<T> items() const {
        return this->locked([](auto& all) { return all; });
    }

private:
    static std::size_t checked(const std::vector<T>& all, std::size_t index) {
        if (index < all.size()) return index;
        throw std::out_of_range{"coproc: index " + std::to_string(index) + " of a list of " +
                                std::to_string(all.size())};
    }
};

/// coproc::array_proxy among the threads of one program, for elements of any type. Thread safe.
template <class T>
class array_proxy : private list_proxy<T> {
    using list = list_proxy<T>;

public:
    using value_type = T; ///< of the array

    using list::at;
    using list::items;
    using list::set;
    using list::size;
    using list::operator bool;

    /// Empty: refers to no array.
    array_proxy() noexcept = default;
    /// For the manager.
    explicit array_proxy(std::shared_ptr<detail::threads::guarded<std::vector<T>>> state) noexcept
        : list{std::move(state)} {}
    /// The same array.
    friend bool operator==(const array_proxy& a, const array_proxy& b) noexcept {
        return static_cast<const list&>(a) == static_cast<const list&>(b);
    }
};

} // namespace coproc::dummy
