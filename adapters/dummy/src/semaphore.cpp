// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/semaphore.hpp>

#include <coproc/dummy/detail/gate.hpp>

#include <limits>
#include <stdexcept>

namespace coproc {
namespace detail::threads {

class semaphore_core final : public gate {
public:
    using permit = dummy::semaphore_permit;
    using permit_wait = pending_on<permit, semaphore_core>;

    semaphore_core(std::size_t initial, bool bounded)
        : most_{bounded ? initial : std::numeric_limits<std::size_t>::max()}, value_{initial} {}

    /// False, and nothing has changed, if that is too many.
    bool add(std::size_t n) noexcept {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (n > most_ - value_) return false;
        value_ += n;
        let_pass(wake);
        return true;
    }
    [[nodiscard]] std::size_t value() const {
        const std::scoped_lock lock{mutex_};
        return value_;
    }
    [[nodiscard]] std::size_t most() const noexcept { return most_; }

    /// The permit is there from the beginning, so that it is whole at the instant at which the unit
    /// is handed over. Who is let go before has to take it away.
    [[nodiscard]] boost::intrusive_ptr<permit_wait> start_permit() {
        auto self = std::static_pointer_cast<semaphore_core>(shared_from_this());
        boost::intrusive_ptr<permit_wait> op{new permit_wait{self}};
        op->emplace(permit{std::move(self)});
        if (enter(*op)) op->complete();
        return op;
    }
    using gate::cancel;
    bool cancel(permit_wait& op) noexcept {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (!op.listed() && op.error()) return false;
        auto nobodys = op.take();
        nobodys.of_ = nullptr; // call_off() gives the unit back, if there was one
        call_off(op, op, wake);
        return true;
    }

private:
    bool pass() noexcept override {
        if (value_ == 0) return false;
        --value_;
        return true;
    }
    void pass_unused(wake_list& wake) noexcept override {
        if (value_ < most_) ++value_;
        let_pass(wake);
    }

    const std::size_t most_;
    std::size_t value_; // 0 while anyone waits
};

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

semaphore_permit& semaphore_permit::operator=(semaphore_permit&& other) noexcept {
    if (this != &other) {
        release();
        of_ = std::move(other.of_);
    }
    return *this;
}

void semaphore_permit::release() noexcept {
    if (const auto of = std::exchange(of_, nullptr))
        of->add(1); // refused when somebody has released too much already
}

semaphore::semaphore(std::size_t initial, bool bounded)
    : core_{std::make_shared<semaphore_core>(initial, bounded)} {}

void semaphore::acquire() const { block(*core_, {}); }

bool semaphore::try_acquire() const { return core_->try_now(); }

bool semaphore::try_acquire_for(duration timeout) const {
    return block(*core_, detail::deadline_after(timeout));
}

void semaphore::add(std::size_t n) const {
    if (core_->add(n)) return;
    if (core_->most() == std::numeric_limits<std::size_t>::max())
        throw std::logic_error{"coproc: a semaphore cannot count that many units"};
    throw std::logic_error{"coproc: a bounded_semaphore of " + std::to_string(core_->most()) +
                           " was released more often than it was acquired"};
}

std::size_t semaphore::value() const { return core_->value(); }

detail::state_ptr<void> semaphore::start_acquire() const { return core_->start(); }

semaphore_permit semaphore::permit() const {
    acquire();
    return semaphore_permit{core_};
}

std::optional<semaphore_permit> semaphore::try_permit() const {
    if (!try_acquire()) return {};
    return semaphore_permit{core_};
}

std::optional<semaphore_permit> semaphore::try_permit_for(duration timeout) const {
    if (!try_acquire_for(timeout)) return {};
    return semaphore_permit{core_};
}

detail::state_ptr<semaphore_permit> semaphore::start_permit() const {
    return core_->start_permit();
}

} // namespace dummy
} // namespace coproc
