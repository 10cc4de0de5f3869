// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/detail/gate.hpp>

namespace coproc::detail::threads {

bool gate::try_now() {
    const std::scoped_lock lock{mutex_};
    return pass();
}

bool gate::enter(waiter& w) {
    const std::scoped_lock lock{mutex_};
    if (pass()) return true;
    waiting_.push_back(w);
    return false;
}

auto gate::start() -> boost::intrusive_ptr<passage> {
    boost::intrusive_ptr<passage> op{new passage{shared_from_this()}};
    if (enter(*op)) op->complete();
    return op;
}

bool gate::withdraw(passage& op) noexcept {
    const std::scoped_lock lock{mutex_};
    if (!op.listed()) return false;
    waiting_.remove(op);
    return true;
}

bool gate::cancel(passage& op) noexcept {
    wake_list wake;
    const std::scoped_lock lock{mutex_};
    if (!op.listed() && op.error()) return false;
    call_off(op, op, wake);
    return true;
}

void gate::call_off(waiter& w, result_core& op, wake_list& wake) noexcept {
    op.set_error(wait_cancelled());
    if (w.listed())
        waiting_.wake(w, wake);
    else
        pass_unused(wake);
}

void gate::pass_unused(wake_list&) noexcept {}

} // namespace coproc::detail::threads
