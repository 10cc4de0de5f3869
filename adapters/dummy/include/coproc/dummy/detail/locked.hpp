// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/recursive_core.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace coproc::detail::threads {

/// Holds the lock of what shared_value and shared_array refer to, until it is destroyed.
template <class Shared>
class locked {
public:
    explicit locked(std::shared_ptr<Shared> what) : what_{std::move(what)} { what_->lock.lock(); }
    /// Empty when others hold it until then.
    static std::optional<locked> until(const std::shared_ptr<Shared>& what, const deadline& when) {
        if (!what->lock.lock_until(when)) return {};
        return locked{what, taken{}};
    }
    locked(locked&& other) noexcept : what_{std::exchange(other.what_, nullptr)} {}
    locked& operator=(locked&& other) noexcept {
        locked last{std::move(other)};
        std::swap(what_, last.what_);
        return *this;
    }
    locked(const locked&) = delete;
    locked& operator=(const locked&) = delete;
    ~locked() {
        if (what_ != nullptr) what_->lock.unlock();
    }

    [[nodiscard]] Shared& operator*() const noexcept { return *what_; }
    [[nodiscard]] Shared* operator->() const noexcept { return what_.get(); }

private:
    struct taken {};
    locked(std::shared_ptr<Shared> what, taken) noexcept : what_{std::move(what)} {}

    std::shared_ptr<Shared> what_;
};

} // namespace coproc::detail::threads
