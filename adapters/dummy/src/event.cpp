// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/event.hpp>

#include <coproc/dummy/detail/gate.hpp>

namespace coproc {
namespace detail::threads {

class event_core final : public gate {
public:
    void set() {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        set_ = true;
        let_pass(wake);
    }
    void clear() {
        const std::scoped_lock lock{mutex_};
        set_ = false;
    }

private:
    bool pass() noexcept override { return set_; }

    bool set_ = false;
};

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

event::event() : core_{std::make_shared<event_core>()} {}

void event::set() const { core_->set(); }

void event::clear() const { core_->clear(); }

bool event::is_set() const { return core_->try_now(); }

void event::wait() const { block(*core_, {}); }

bool event::wait_for(duration timeout) const {
    return block(*core_, detail::deadline_after(timeout));
}

detail::state_ptr<void> event::start_wait() const { return core_->start(); }

} // namespace dummy
} // namespace coproc
