// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/event.hpp>

#include <climits>
#include <shared/wait_service.hpp>
#include <sync/event_object.hpp>

namespace coproc {
namespace detail {

void event_object::set() {
    // Those who wait must learn of it if this process dies before it has woken them.
    static_cast<void>(self());
    auto& times = state<words>().times;
    auto seen = times.load();
    do {
        if ((seen & flag) != 0) return;
    } while (!times.compare_exchange_weak(seen, (seen | flag) + 2 * flag));
    wake(changed, INT_MAX);
}

void event_object::clear() noexcept { state<words>().times.fetch_and(~flag); }

template <>
int handle_access::descriptor(const event& handle) {
    return handle.object_->descriptor();
}
template <>
event handle_access::adopt(int descriptor) {
    return event{shared::adopt<event_object>(os::unique_fd{descriptor})};
}

} // namespace detail

using detail::event_object;

event::event() : object_{detail::shared::create<event_object>()} {}

void event::set() const { object_->set(); }

void event::clear() const { object_->clear(); }

bool event::is_set() const { return object_->is_set(); }

void event::wait() const {
    object_->wait(event_object::changed, {},
                  [&, then = object_->now()] { return object_->set_since(then); });
}

bool event::wait_for(duration timeout) const {
    return object_->wait(event_object::changed, detail::deadline_after(timeout),
                         [&, then = object_->now()] { return object_->set_since(then); });
}

detail::state_ptr<void> event::start_wait(std::shared_ptr<event_object> object) {
    auto& o = *object;
    return detail::shared::start_waiting<void>(
        std::move(object), event_object::changed,
        [&o, then = o.now()](detail::operation<void>& waiting) {
            if (!o.set_since(then)) return false;
            waiting.succeed();
            return true;
        });
}

} // namespace coproc
