// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How a worker's replies are left to the thread of the callbacks that they lead to. The bell is
// silent meanwhile, and the reactor looks now and then whether that thread still comes for them.

#include <coproc/detail/callback_source.hpp>
#include <coproc/log.hpp>
#include <src/process_backend.hpp>
#include <src/worker_seat.hpp>

#include <utility>

namespace coproc::detail {

namespace {

// A callback may take any time. For twice as long at most it keeps others from their results.
constexpr std::chrono::milliseconds loan_time{1};

} // namespace

/// What that thread knows of a seat, which it does not keep.
class worker_seat::loan final : public callback_source {
public:
    explicit loan(worker_seat& of) : seat_{of.weak_from_this()}, terms_{of.loan_} {}

private:
    bool look() noexcept override {
        terms_->looks.fetch_add(1, std::memory_order_relaxed);
        if (!terms_->lent.load(std::memory_order_relaxed)) return goes_on();
        const auto seat = seat_.lock();
        if (seat && seat->has_news()) seat->hear_for_callbacks(afterwards::look_again);
        return seat != nullptr;
    }

    bool rest() noexcept override {
        terms_->lent.store(false, std::memory_order_relaxed);
        if (const auto seat = seat_.lock())
            seat->hear_for_callbacks(afterwards::wait_for_what_is_due);
        return goes_on();
    }

    /// It has been lent once more. If not, it is over for good.
    bool goes_on() const noexcept {
        const auto seat = seat_.lock();
        if (!seat) return false;
        const std::scoped_lock lock{seat->mutex_};
        terms_->known_there = terms_->lent.load(std::memory_order_relaxed);
        return terms_->known_there;
    }

    const std::weak_ptr<worker_seat> seat_;
    const std::shared_ptr<loan_terms> terms_;
};

bool worker_seat::lend_to_callbacks() {
    if (!callback_source::would_pay()) return false;
    {
        const std::scoped_lock lock{mutex_};
        if (left_ || loop_) return false;
        if (!loan_->known_there && !callback_source::lend(std::make_unique<loan>(*this)))
            return false;
        loan_->known_there = true;
        unheard_ = false;
        process_->channel().disarm();
        loan_->lent.store(true, std::memory_order_relaxed);
    }
    if (!std::exchange(loan_watched_, true)) watch_loan();
    return true;
}

void worker_seat::watch_loan() {
    loan_time_.expires_after(loan_time);
    const auto looks = loan_->looks.load(std::memory_order_relaxed);
    loan_time_.async_wait([weak = weak_from_this(), looks](boost::system::error_code ec) {
        const auto self = weak.lock();
        if (ec || !self) return;
        self->loan_watched_ = false;
        if (!self->loan_->lent.load(std::memory_order_relaxed)) return;
        if (self->loan_->looks.load(std::memory_order_relaxed) != looks) {
            self->loan_watched_ = true;
            self->watch_loan();
        } else {
            self->pool_->on_bell(self, false); // takes it back
        }
    });
}

/// On their thread. Whoever is called in between must not wait for a result, least of all a codec,
/// which has the seat's mutex.
void worker_seat::hear_for_callbacks(afterwards then) noexcept {
    tells_of_results(true);
    try {
        pool_->hear_out(shared_from_this(), then);
    } catch (const std::exception& e) { // not the callback's that ran before
        log(log_kind::other, e.what());
    }
    tells_of_results(false);
}

} // namespace coproc::detail
