// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/detail/gate.hpp>

namespace coproc::detail::threads {

bool gate::try_now() {
    const std::scoped_lock lock{mutex_};
    return pass();
}

auto gate::start() -> boost::intrusive_ptr<passage> {
    boost::intrusive_ptr<passage> op{new passage{shared_from_this()}};
    {
        const std::scoped_lock lock{mutex_};
        if (!pass()) {
            waiting_.push_back(*op);
            return op;
        }
    }
    op->complete();
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
    const bool waits = op.listed();
    if (!waits && op.error()) return false;
    op.set_error(wait_cancelled());
    if (waits)
        waiting_.wake(op, wake);
    else
        pass_unused(wake);
    return true;
}

void gate::pass_unused(wake_list&) noexcept {}

} // namespace coproc::detail::threads
