// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/latch.hpp>

#include <coproc/dummy/detail/gate.hpp>

#include <stdexcept>

namespace coproc {
namespace detail::threads {

class latch_core final : public gate {
public:
    explicit latch_core(std::size_t count) : count_{count} {}

    void arrive(std::size_t n) {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (n > count_)
            throw std::logic_error{"coproc: a latch at " + std::to_string(count_) +
                                   " was counted down by " + std::to_string(n)};
        count_ -= n;
        let_pass(wake);
    }

private:
    bool pass() noexcept override { return count_ == 0; }

    std::size_t count_;
};

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

latch::latch(at first) : core_{std::make_shared<latch_core>(first.count)} {}

void latch::arrive(std::size_t n) const { core_->arrive(n); }

bool latch::try_wait() const { return core_->try_now(); }

void latch::wait() const { block(*core_, {}); }

bool latch::wait_for(duration timeout) const {
    return block(*core_, detail::deadline_after(timeout));
}

detail::state_ptr<void> latch::start_wait() const { return core_->start(); }

} // namespace dummy
} // namespace coproc
