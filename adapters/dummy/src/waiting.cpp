// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/detail/waiting.hpp>

#include <spin.hpp>

namespace coproc::detail::threads {

namespace {

/// What is about to come is not worth going to sleep for.
constexpr std::chrono::microseconds spin_time{5};

} // namespace

wake_list::~wake_list() {
    while (first_ != nullptr) {
        waiter& next = *std::exchange(first_, first_->next_);
        next.next_ = nullptr;
        const core_ptr held{&next.state(), false}; // the list's reference
        next.woken();
    }
}

void wait_list::push_back(waiter& w) noexcept {
    intrusive_ptr_add_ref(&w.state());
    w.list_ = this;
    w.previous_ = last_;
    w.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &w;
    last_ = &w;
    ++size_;
}

void wait_list::unlink(waiter& w) noexcept {
    (w.previous_ != nullptr ? w.previous_->next_ : first_) = w.next_;
    (w.next_ != nullptr ? w.next_->previous_ : last_) = w.previous_;
    w.previous_ = w.next_ = nullptr;
    w.list_ = nullptr;
    --size_;
}

void wait_list::remove(waiter& w) noexcept {
    unlink(w);
    intrusive_ptr_release(&w.state());
}

void wait_list::wake(waiter& w, wake_list& to) noexcept {
    unlink(w);
    (to.last_ != nullptr ? to.last_->next_ : to.first_) = &w;
    to.last_ = &w;
}

std::exception_ptr wait_cancelled() noexcept {
    return std::make_exception_ptr(cancelled_error{"coproc: the wait was cancelled"});
}

bool wait_on(result_core& op, const deadline& until) {
    return spin_for(spin_time, [&] { return op.ready(); }) || op.wait(until);
}

} // namespace coproc::detail::threads
