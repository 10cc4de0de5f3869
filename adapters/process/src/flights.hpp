// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/work.hpp>
#include <src/channel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace coproc::detail {

/// The chunks that are under way to a worker or run there, in the order in which they were sent. A
/// worker replies in that order, so it is mostly the first one that is looked for and taken out.
class flights {
public:
    struct flight {
        chunk what;
        message_token token;
    };

    [[nodiscard]] bool empty() const noexcept { return first_ == list_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return list_.size() - first_; }
    [[nodiscard]] const flight& operator[](std::size_t i) const noexcept {
        return list_[first_ + i];
    }

    /// After this, the next push_back cannot fail.
    void reserve_one() {
        // Those that have been taken out make room, when they are as many as those that are left.
        if (first_ >= 32 && first_ >= size()) {
            list_.erase(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(first_));
            first_ = 0;
        }
        if (list_.size() == list_.capacity())
            list_.reserve(std::max<std::size_t>(64, 2 * list_.size()));
    }
    void push_back(chunk what, message_token token) { list_.push_back({std::move(what), token}); }

    /// Null: not there (any more).
    [[nodiscard]] flight* find(std::uint64_t chunk_id) noexcept {
        for (std::size_t i = first_; i != list_.size(); ++i)
            if (list_[i].what.id == chunk_id) return &list_[i];
        return nullptr;
    }
    /// What is named by find().
    chunk take(flight* at) noexcept {
        chunk what = std::move(at->what);
        if (at == list_.data() + first_) {
            if (++first_ == list_.size()) {
                list_.clear();
                first_ = 0;
            }
        } else {
            list_.erase(list_.begin() + (at - list_.data()));
        }
        return what;
    }

private:
    std::vector<flight> list_;
    std::size_t first_ = 0; // those before it have been taken out
};

} // namespace coproc::detail
