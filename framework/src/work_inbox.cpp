// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/work_inbox.hpp>

namespace coproc::detail {

alignas(work) char work_inbox::shut_place = 0;

work_inbox::~work_inbox() {
    shut();
    while (fetched_ != 0)
        pop();
}

work_inbox::answer work_inbox::leave(work& w) noexcept {
    intrusive_ptr_add_ref(&w); // before anybody can fetch it and let go of it
    work* head = head_.load(std::memory_order_relaxed);
    do {
        if (head == shut_mark()) {
            w.following_ = nullptr;
            intrusive_ptr_release(&w);
            return answer::shut;
        }
        w.following_ = head;
    } while (!head_.compare_exchange_weak(head, &w, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
    return head == nullptr ? answer::first : answer::more;
}

[[gnu::hot]] bool work_inbox::fetch() noexcept {
    if (any_left()) append(head_.exchange(nullptr, std::memory_order_acquire));
    return fetched_ != 0;
}

void work_inbox::shut() noexcept {
    auto* const head = head_.exchange(shut_mark(), std::memory_order_acquire);
    if (head != shut_mark()) append(head);
}

void work_inbox::append(work* newest_first) noexcept {
    work* const last = newest_first;
    work* oldest_first = nullptr;
    while (newest_first != nullptr) {
        work* const before = newest_first->following_;
        newest_first->following_ = oldest_first;
        oldest_first = newest_first;
        newest_first = before;
        ++fetched_;
    }
    if (oldest_first == nullptr) return;
    (last_ != nullptr ? last_->following_ : first_) = oldest_first;
    last_ = last;
}

work_ptr work_inbox::pop() noexcept {
    work_ptr w{first_, false};
    first_ = w->following_;
    if (first_ == nullptr) last_ = nullptr;
    w->following_ = nullptr;
    --fetched_;
    return w;
}

void work_inbox::put_back(std::span<work* const> works) noexcept {
    for (auto w = works.rbegin(); w != works.rend(); ++w) {
        (*w)->following_ = first_;
        first_ = *w;
        if (last_ == nullptr) last_ = first_;
        ++fetched_;
    }
}

} // namespace coproc::detail
