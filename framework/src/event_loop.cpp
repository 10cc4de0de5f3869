// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/event_loop.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/detail/thread_own.hpp>

#include <utility>

namespace coproc::detail {

namespace {

/// Tells the loop that its context goes.
class loop_service final : public boost::asio::execution_context::service {
public:
    using key_type = loop_service;
    static boost::asio::execution_context::id id;

    explicit loop_service(boost::asio::execution_context& context)
        : service{context}, loop{std::make_shared<event_loop>(context)} {}

    const std::shared_ptr<event_loop> loop;

private:
    void shutdown() override { loop->tear_down(); }
};

boost::asio::execution_context::id loop_service::id;

/// The loop that the thread asked for last.
std::shared_ptr<event_loop>* last_asked_for() noexcept {
    return thread_own<std::shared_ptr<event_loop>>();
}

thread_local loop_visit* visiting = nullptr;
thread_local unsigned exceptions = 0;

} // namespace

loop_visit::loop_visit(const boost::asio::io_context& context) noexcept
    : context_{context}, outer_{std::exchange(visiting, this)} {}

loop_visit::~loop_visit() {
    end();
    if (first_ != nullptr) first_->posted();
}

void loop_visit::end() noexcept {
    if (!std::exchange(over_, true)) visiting = outer_;
}

void loop_visit::call() {
    end();
    const auto before = exceptions;
    if (first_ != nullptr) std::exchange(first_, nullptr)->called();
    if (exceptions != before) may_go_on_ = false;
}

void loop_visit::note_exception() noexcept { ++exceptions; }

void loop_visit::hand_over(loop_resident& r, const boost::asio::io_context* context) noexcept {
    if (visiting == nullptr || &visiting->context_ != context) {
        r.posted();
    } else if (visiting->first_ == nullptr) {
        visiting->first_ = &r;
    } else {
        visiting->may_go_on_ = false;
        r.posted();
    }
}

event_loop::event_loop(boost::asio::execution_context& context)
    : generation_{count_forks()}, context_{&context} {}

std::shared_ptr<event_loop> event_loop::of(boost::asio::execution_context& context) {
    auto* const recent = last_asked_for();
    if (recent != nullptr && *recent && (*recent)->generation_ == count_forks()) {
        // Another context may have been made where one was before.
        const std::scoped_lock lock{(*recent)->mutex_};
        if ((*recent)->context_ == &context) return *recent;
    }
    auto found = boost::asio::use_service<loop_service>(context).loop;
    if (found->generation_ != count_forks()) return nullptr;
    if (recent != nullptr) *recent = found;
    return found;
}

event_loop* event_loop::recent() noexcept {
    const auto* const loop = last_asked_for();
    return loop != nullptr ? loop->get() : nullptr;
}

boost::asio::io_context* event_loop::running_here() noexcept {
    if (generation_ != count_forks()) return nullptr;
    const std::scoped_lock lock{mutex_};
    auto* const io = io_.load(std::memory_order_relaxed);
    if (context_ == nullptr || io == nullptr) return nullptr;
    return io->get_executor().running_in_this_thread() ? io : nullptr;
}

void event_loop::move_in(loop_resident& r) noexcept {
    const std::scoped_lock lock{mutex_};
    r.resident_ = true;
    r.previous_ = nullptr;
    r.next_ = residents_;
    if (residents_ != nullptr) residents_->previous_ = &r;
    residents_ = &r;
}

// Posted under the lock, while the context is surely there.
bool event_loop::move_out(loop_resident& r) noexcept {
    const std::scoped_lock lock{mutex_};
    if (!r.resident_) return false;
    unlink(r);
    loop_visit::hand_over(r, io_.load(std::memory_order_relaxed));
    return true;
}

void event_loop::unlink(loop_resident& r) noexcept {
    r.resident_ = false;
    (r.previous_ != nullptr ? r.previous_->next_ : residents_) = r.next_;
    if (r.next_ != nullptr) r.next_->previous_ = r.previous_;
}

void event_loop::tear_down() noexcept {
    if (generation_ != count_forks()) {
        // All of it is the parent's. Not destroyed when the last reference goes, either, which may
        // be later than the context.
        static_cast<void>(new std::shared_ptr<loop_annex>{std::move(annex_)});
        return;
    }
    std::shared_ptr<loop_annex> annex;
    {
        const std::scoped_lock lock{mutex_};
        context_ = nullptr;
        annex.swap(annex_);
    }
    if (annex) annex->torn_down();
    for (;;) {
        loop_resident* next = nullptr;
        {
            const std::scoped_lock lock{mutex_};
            next = residents_;
            if (next == nullptr) return;
            unlink(*next);
        }
        next->evicted(); // may destroy a coroutine, and with it what has moved in
    }
}

} // namespace coproc::detail
