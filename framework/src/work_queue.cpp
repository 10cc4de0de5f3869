// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/work_queue.hpp>

#include <algorithm>

namespace coproc::detail {

work* work_queue::front() const noexcept {
    for (auto at = levels_.rbegin(); at != levels_.rend(); ++at)
        if (at->first != nullptr) return at->first;
    return nullptr;
}

int work_queue::lowest_priority() const noexcept {
    return std::ranges::find_if(levels_, [](const level& l) { return l.first != nullptr; })
        ->priority;
}

work_queue::level& work_queue::level_of(int priority) {
    const auto at = std::ranges::lower_bound(levels_, priority, {}, &level::priority);
    if (at != levels_.end() && at->priority == priority) return *at;
    return *levels_.insert(at, level{priority, nullptr, nullptr});
}

void work_queue::push_back(work& w) {
    level& l = level_of(w.settings_.priority);
    w.previous_ = l.last;
    w.following_ = nullptr;
    (l.last != nullptr ? l.last->following_ : l.first) = &w;
    l.last = &w;
    w.queued_ = true;
    ++size_;
    intrusive_ptr_add_ref(&w);
}

void work_queue::push_front(work& w) {
    level& l = level_of(w.settings_.priority);
    w.previous_ = nullptr;
    w.following_ = l.first;
    (l.first != nullptr ? l.first->previous_ : l.last) = &w;
    l.first = &w;
    w.queued_ = true;
    ++size_;
    intrusive_ptr_add_ref(&w);
}

work_ptr work_queue::extract(work& w) noexcept {
    const auto at = std::ranges::lower_bound(levels_, w.settings_.priority, {}, &level::priority);
    (w.previous_ != nullptr ? w.previous_->following_ : at->first) = w.following_;
    (w.following_ != nullptr ? w.following_->previous_ : at->last) = w.previous_;
    w.previous_ = w.following_ = nullptr;
    w.queued_ = false;
    --size_;
    if (at->first == nullptr && levels_.size() > 1) levels_.erase(at);
    return work_ptr{&w, false};
}

void work_queue::clear() noexcept {
    while (work* w = front())
        remove(*w);
}

std::uint64_t work_queue::waiting_items() const noexcept {
    std::uint64_t n = 0;
    for (const auto& l : levels_)
        for (const work* w = l.first; w != nullptr; w = w->following_)
            n += w->waiting_items();
    return n;
}

} // namespace coproc::detail
