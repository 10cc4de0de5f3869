// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/barrier.hpp>

#include <stdexcept>

namespace coproc {
namespace detail::threads {

class barrier_core final : public std::enable_shared_from_this<barrier_core> {
public:
    using arrival = pending_on<std::size_t, barrier_core>;

    explicit barrier_core(std::size_t parties) : parties_{parties} {
        if (parties == 0) throw std::invalid_argument{"coproc: a barrier needs a party"};
    }

    boost::intrusive_ptr<arrival> start() {
        boost::intrusive_ptr<arrival> op{new arrival{shared_from_this()}};
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (broken_) throw broken_barrier_error{};
        op->emplace(waiting_.size());
        waiting_.push_back(*op);
        if (waiting_.size() == parties_) waiting_.wake_all(wake);
        return op;
    }
    std::size_t wait(const deadline& until) {
        const auto op = start();
        if (!wait_on(*op, until)) {
            give_up(*op, std::make_exception_ptr(broken_barrier_error{
                             "coproc: the barrier is broken: not all came in time"}));
            wait_on(*op, {});
        }
        return op->take();
    }
    bool cancel(arrival& op) noexcept { return give_up(op, wait_cancelled()); }

    void abort() {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        break_it(wake);
    }
    void reset() {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        break_it(wake);
        broken_ = false;
    }
    [[nodiscard]] bool broken() const {
        const std::scoped_lock lock{mutex_};
        return broken_;
    }
    [[nodiscard]] std::size_t parties() const noexcept { return parties_; }
    [[nodiscard]] std::size_t waiting() const {
        const std::scoped_lock lock{mutex_};
        return waiting_.size();
    }

private:
    /// False: it is through, or has failed.
    bool give_up(arrival& op, std::exception_ptr error) noexcept {
        wake_list wake;
        const std::scoped_lock lock{mutex_};
        if (!op.listed()) return false;
        op.set_error(std::move(error));
        waiting_.wake(op, wake);
        break_it(wake);
        return true;
    }
    void break_it(wake_list& wake) {
        broken_ = true;
        if (waiting_.empty()) return;
        const auto error = std::make_exception_ptr(broken_barrier_error{});
        while (!waiting_.empty()) {
            static_cast<arrival&>(waiting_.front()).set_error(error);
            waiting_.wake_front(wake);
        }
    }

    const std::size_t parties_;
    mutable std::mutex mutex_;
    wait_list waiting_;
    bool broken_ = false;
};

} // namespace detail::threads

namespace dummy {

using namespace detail::threads;

barrier::barrier(of all) : core_{std::make_shared<barrier_core>(all.parties)} {}

std::size_t barrier::wait() const { return core_->wait({}); }

std::size_t barrier::wait(duration timeout) const {
    return core_->wait(detail::deadline_after(timeout));
}

detail::state_ptr<std::size_t> barrier::start_wait() const { return core_->start(); }

void barrier::abort() const { core_->abort(); }

void barrier::reset() const { core_->reset(); }

bool barrier::broken() const { return core_->broken(); }

std::size_t barrier::parties() const noexcept { return core_->parties(); }

std::size_t barrier::waiting() const { return core_->waiting(); }

} // namespace dummy
} // namespace coproc
