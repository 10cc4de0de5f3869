// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/latch.hpp>

#include <climits>
#include <shared/wait_service.hpp>
#include <stdexcept>
#include <string>
#include <sync/latch_object.hpp>

namespace coproc {
namespace detail {

void latch_object::count_down(std::size_t n) {
    // Those who wait must learn of it if this process dies before it has woken them.
    static_cast<void>(self());
    auto& count = state<words>().count;
    auto seen = count.load();
    do {
        if (n > seen)
            throw std::logic_error{"coproc: a latch at " + std::to_string(seen) +
                                   " was counted down by " + std::to_string(n)};
    } while (!count.compare_exchange_weak(seen, seen - n));
    if (n != 0 && seen == n) wake(zero, INT_MAX);
}

template <>
int handle_access::descriptor(const latch& handle) {
    return handle.object_->descriptor();
}
template <>
latch handle_access::adopt(int descriptor) {
    return latch{shared::adopt<latch_object>(os::unique_fd{descriptor})};
}

} // namespace detail

using detail::latch_object;

latch::latch(at first) : object_{detail::shared::create<latch_object>(first.count)} {}

void latch::arrive(std::size_t n) const { object_->count_down(n); }

bool latch::try_wait() const { return object_->is_zero(); }

void latch::wait() const {
    object_->wait(latch_object::zero, {}, [&] { return object_->is_zero(); });
}

bool latch::wait_for(duration timeout) const {
    return object_->wait(latch_object::zero, detail::deadline_after(timeout),
                         [&] { return object_->is_zero(); });
}

detail::state_ptr<void> latch::start_wait(std::shared_ptr<latch_object> object) {
    auto& o = *object;
    return detail::shared::start_waiting<void>(std::move(object), latch_object::zero,
                                               [&o](detail::operation<void>& waiting) {
                                                   if (!o.is_zero()) return false;
                                                   waiting.succeed();
                                                   return true;
                                               });
}

} // namespace coproc
