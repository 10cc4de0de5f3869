// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/recursive_core.hpp>

#include <memory>
#include <utility>

namespace coproc::detail::threads {

/// Holds the lock of what shared_value and shared_array refer to, until it is destroyed.
template <class Shared>
class locked {
public:
    explicit locked(std::shared_ptr<Shared> what) : what_{std::move(what)} { what_->lock.lock(); }
    locked(locked&& other) noexcept : what_{std::exchange(other.what_, nullptr)} {}
    locked(const locked&) = delete;
    locked& operator=(const locked&) = delete;
    locked& operator=(locked&&) = delete;
    ~locked() {
        if (what_ != nullptr) what_->lock.unlock();
    }

    [[nodiscard]] Shared& operator*() const noexcept { return *what_; }
    [[nodiscard]] Shared* operator->() const noexcept { return what_.get(); }

private:
    std::shared_ptr<Shared> what_;
};

} // namespace coproc::detail::threads
