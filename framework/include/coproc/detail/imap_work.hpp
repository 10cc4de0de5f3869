// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// imap and imap_unordered: a window moves over an input that is read on the consumer's thread, as
// far as the window allows. What is in the window waits, runs, or is done and waits for its turn.

#include <coproc/detail/input_sequence.hpp>
#include <coproc/detail/map_work.hpp>
#include <coproc/detail/stream_state.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

namespace coproc::detail {

/// Grows while the consumer empties it faster than a millisecond, so that a window of tiny tasks
/// hides the hand-over and one of long tasks reads hardly ahead.
class adaptive_window {
public:
    explicit adaptive_window(std::size_t workers) noexcept
        : size_{std::max<std::size_t>(8, 4 * workers)} {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void refilled(steady::time_point now) noexcept {
        if (now - last_ < std::chrono::milliseconds{1})
            size_ = std::min<std::size_t>(largest, size_ * 2);
        last_ = now;
    }

private:
    static constexpr std::size_t largest = 4096;
    std::size_t size_;
    steady::time_point last_{};
};

/// A stream yields values: a function without a result yields std::monostate.
template <class R>
using stream_value_t = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <bool Remote, bool Ordered, class F, class R, class Input>
class imap_work final : public pool_result<void>, public stream_state<stream_value_t<R>> {
public:
    using value_type = stream_value_t<R>;
    using item_type = typename Input::value_type;
    using item_ptr = typename stream_state<value_type>::item_ptr;

    template <class G>
    imap_work(backend_ptr pool, work_settings settings, G&& f, Input input)
        : pool_result<void>{std::move(pool), std::move(settings), 0, true},
          f_{std::in_place, std::forward<G>(f)},
          input_{std::move(input)},
          window_{this->pool()->workers()} {
        this->mark_observed(); // errors are the consumer's
    }

    /// Hands the work to the pool and reads the first window.
    void start() {
        this->pool()->submit(*this);
        on_demand();
    }

    // --- the consumer ------------------------------------------------------------------------------------------
    void abandon() noexcept override {
        if (this->pool()->inherited()) return; // it is the parent's, and so may its lock be
        std::exception_ptr failure;            // of an item, before the rest is cancelled
        {
            const std::scoped_lock lock{mutex_};
            failure = failure_;
        }
        cancel();
        static_cast<void>(this->discard());
        if (!this->told()) report_unseen(failure);
        const std::scoped_lock lock{mutex_};
        input_ended_ = true;
    }
    [[nodiscard]] std::thread::id consumer() const noexcept override {
        return consumer_.load(std::memory_order_relaxed);
    }

    // --- execution ---------------------------------------------------------------------------------------------
    chunk_outcome run(const chunk& c, item_observer& observer) noexcept override {
        for (std::uint32_t i = 0; i < c.count; ++i) {
            if (!observer.begin_item(i)) return {i, {}};
            try {
                std::optional<item_type> item;
                {
                    const std::scoped_lock lock{mutex_};
                    slot* s = find(c.first + i);
                    if (s == nullptr || !s->input) return {i, {}}; // nobody wants it any more
                    item = std::move(s->input);
                    s->input.reset();
                }
                if constexpr (std::is_void_v<R>) {
                    call_item<R, Remote, false>(*f_, std::move(*item));
                    arrived(c.first + i, value_type{});
                } else {
                    arrived(c.first + i, call_item<R, Remote, false>(*f_, std::move(*item)));
                }
            } catch (...) {
                return {i, local_failure(std::current_exception(), here(*this, c.first + i))};
            }
        }
        return {c.count, {}};
    }

    [[nodiscard]] invoker remote() const noexcept override {
        if constexpr (Remote)
            return &chunk_invoker<F, R, item_type, false>::invoke;
        else
            return nullptr;
    }
    void size(const chunk& c, sizer& s) const override {
        if constexpr (Remote) {
            const auto items = gather(c);
            size_chunk(s, *f_, c.count,
                       [&](std::uint32_t i) -> const item_type& { return *items[i]; });
        }
    }
    void encode(const chunk& c, writer& w) const override {
        if constexpr (Remote) {
            const auto items = gather(c);
            encode_chunk(w, *f_, c.count,
                         [&](std::uint32_t i) -> const item_type& { return *items[i]; });
        }
    }
    chunk_outcome accept(const chunk& c, reader& r, const origin& from) noexcept override {
        if constexpr (Remote)
            return accept_chunk<R>(c, r, from, [&](std::uint32_t i, auto&&... value) {
                arrived(c.first + i, value_type(std::forward<decltype(value)>(value)...));
            });
        return {};
    }

    void let_go() noexcept override {
        std::deque<slot> rest; // its destructors run without the lock
        std::vector<item_type> consumed;
        {
            const std::scoped_lock lock{mutex_};
            rest.swap(slots_);
            consumed.swap(consumed_);
        }
        f_.reset();
    }
    void let_go(const chunk& /*c*/, std::uint32_t /*ok*/) noexcept override {
        if constexpr (defer_destructors) {
            std::vector<item_type> consumed;
            const std::scoped_lock lock{mutex_};
            consumed.swap(consumed_);
        }
    }

    // --- settlement --------------------------------------------------------------------------------------------
    void fail(std::uint64_t index, std::exception_ptr error) noexcept override {
        const std::scoped_lock lock{mutex_};
        if (index >= failed_at_) return;
        failed_at_ = index;
        failure_ = std::move(error);
        input_ended_ = true;
    }
    /// Items before a failure have all arrived by now, those behind it do not count.
    void finish() noexcept override {
        std::exception_ptr error;
        {
            const std::scoped_lock lock{mutex_};
            error = failure_;
        }
        this->end(std::move(error));
        this->complete();
    }
    [[nodiscard]] bool many() const noexcept override { return true; }

private:
    /// Where replies are read somebody's lock is held: inputs are let go of behind it.
    static constexpr bool defer_destructors =
        Remote && !std::is_trivially_destructible_v<item_type>;

    struct slot {
        std::optional<item_type> input;  // until it has run
        std::optional<value_type> value; // until its turn (ordered)
        bool done = false;
    };

    /// What an awaiting coroutine waits for: it helps and cancels the stream that it belongs to.
    class awaited_item final : public result_state<std::optional<value_type>> {
    public:
        explicit awaited_item(imap_work* of) noexcept : alive_{of}, of_{of} {}
        bool cancel() noexcept override { return of_->cancel(); }
        void help() noexcept override { of_->help(); }
        const boost::asio::any_io_executor* callback_executor() const noexcept override {
            return of_->callback_executor();
        }

    private:
        boost::intrusive_ptr<result_state<void>> alive_;
        imap_work* of_;
    };
    item_ptr make_item() override { return item_ptr{new awaited_item{this}}; }

    /// Reads input until the window is full. Only one consumer is here at a time.
    void on_demand() override {
        require_own(*this->pool());
        consumer_.store(std::this_thread::get_id(), std::memory_order_relaxed);
        {
            const std::scoped_lock lock{mutex_};
            if (input_ended_) return;
        }
        const auto in_window = read_ - this->delivered();
        if (in_window > window_.size() / 2) return;
        if (read_ != 0) window_.refilled(steady::now());
        std::uint64_t fresh = 0;
        bool more = true;
        std::exception_ptr error;
        try {
            for (auto room = window_.size() - in_window; room != 0; --room) {
                more = input_.more();
                if (!more) break;
                item_type item = input_.read();
                const std::scoped_lock lock{mutex_};
                if (input_ended_) break;
                slots_.emplace_back();
                slots_.back().input.emplace(std::move(item));
                ++read_;
                ++fresh;
            }
        } catch (...) {
            error = std::current_exception();
            more = false;
        }
        if (error) fail(read_, error);
        if (!more) {
            const std::scoped_lock lock{mutex_};
            input_ended_ = true;
        }
        if (fresh != 0 || !more) this->pool()->extend(*this, fresh, more);
    }

    slot* find(std::uint64_t index) noexcept {
        return index < first_slot_ || index - first_slot_ >= slots_.size()
                   ? nullptr
                   : &slots_[index - first_slot_];
    }

    /// Slots do not move, and none of a chunk in flight is dropped, so the inputs can be read
    /// without the lock.
    std::vector<const item_type*> gather(const chunk& c) const {
        std::vector<const item_type*> items;
        items.reserve(c.count);
        const std::scoped_lock lock{mutex_};
        for (std::uint32_t i = 0; i < c.count; ++i) {
            const auto* s = const_cast<imap_work*>(this)->find(c.first + i); // NOLINT
            if (s == nullptr || !s->input) throw cancelled_error{};
            items.push_back(&*s->input);
        }
        return items;
    }

    void arrived(std::uint64_t index, value_type value) {
        std::optional<item_type> released;
        std::vector<value_type> in_turn;
        const std::scoped_lock delivery{
            delivery_mutex_}; // values leave in the order in which they were taken out
        {
            const std::scoped_lock lock{mutex_};
            slot* s = find(index);
            if (s == nullptr || s->done) return;
            s->done = true;
            if constexpr (defer_destructors) {
                if (s->input) consumed_.push_back(std::move(*s->input));
            } else {
                released = std::move(s->input);
            }
            s->input.reset();
            if constexpr (Ordered)
                s->value.emplace(std::move(value));
            else
                in_turn.push_back(std::move(value));
            while (!slots_.empty() && slots_.front().done) {
                if constexpr (Ordered) {
                    if (first_slot_ >= failed_at_) break;
                    in_turn.push_back(std::move(*slots_.front().value));
                }
                slots_.pop_front();
                ++first_slot_;
            }
        }
        for (auto& v : in_turn)
            this->push(std::move(v));
    }

    std::optional<F> f_;
    Input input_;
    adaptive_window window_;
    std::uint64_t read_ = 0; // inputs so far; the consumer's
    std::atomic<std::thread::id> consumer_{};

    mutable std::mutex mutex_;
    std::mutex delivery_mutex_;
    std::deque<slot> slots_;
    std::vector<item_type> consumed_; // inputs that have their results
    std::uint64_t first_slot_ = 0;
    std::uint64_t failed_at_ = std::numeric_limits<std::uint64_t>::max();
    std::exception_ptr failure_;
    bool input_ended_ = false;
};

/// An input that is owned: a temporary range, or a view.
template <class Range, class Item>
class sequence_input {
public:
    using value_type = Item;

    explicit sequence_input(Range range) : range_{hold(std::forward<Range>(range))} {}

    bool more() {
        if (!position_) {
            position_.emplace(sequence_begin(*range_));
            end_.emplace(sequence_end(*range_));
        } else if (advance_) {
            ++*position_;
        }
        advance_ = false;
        return *position_ != *end_;
    }
    Item read() {
        advance_ = true; // later: reading on may block, and the item is here already
        return take_item<Item, Range>(**position_);
    }

private:
    // On the heap, since iterators must stay valid when this moves; a lvalue is only referred to.
    using holder =
        std::conditional_t<std::is_lvalue_reference_v<Range>, std::remove_reference_t<Range>*,
                           std::unique_ptr<std::remove_reference_t<Range>>>;
    static holder hold(Range&& range) {
        if constexpr (std::is_lvalue_reference_v<Range>)
            return &range;
        else
            return std::make_unique<Range>(std::move(range));
    }

    holder range_;
    std::optional<decltype(sequence_begin(std::declval<Range&>()))> position_;
    std::optional<decltype(sequence_end(std::declval<Range&>()))> end_;
    bool advance_ = false;
};

} // namespace coproc::detail
