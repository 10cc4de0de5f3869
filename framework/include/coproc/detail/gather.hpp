// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Results made of several results: a state that is a continuation of each of them. Natively,
// because Asio's parallel group never completes when it is empty, and because losers have to be
// cancelled.

#include <coproc/async_result.hpp>
#include <coproc/stream.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coproc::detail {

template <class R>
using regular_t = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <class R>
regular_t<R> take_regular(result_state<R>& state) {
    if constexpr (std::is_void_v<R>) {
        state.take();
        return {};
    } else {
        return state.take();
    }
}

template <class R>
std::vector<state_ptr<R>> pointers(const std::vector<async_result<R>>& handles) {
    std::vector<state_ptr<R>> out;
    out.reserve(handles.size());
    for (const auto& h : handles)
        out.push_back(h.pointer());
    return out;
}

/// One of the results that are waited for; tells its owner, and keeps it alive until then.
template <class Owner>
class part final : public continuation {
public:
    part(boost::intrusive_ptr<Owner> owner, core_ptr result, std::size_t index) noexcept
        : owner_{std::move(owner)}, result_{std::move(result)}, index_{index} {}
    void resume() noexcept override {
        std::unique_ptr<part> self{this};
        if (result_->has_readers())
            post_callback(result_->callback_executor(),
                          [self = std::move(self)] { self->owner_->arrived(self->index_); });
        else
            owner_->arrived(index_);
    }
    ~part() override = default;

private:
    boost::intrusive_ptr<Owner> owner_;
    core_ptr result_;
    std::size_t index_;
};

template <class Owner>
void wait_for(Owner* owner, result_core& result, std::size_t index) {
    result.mark_observed(); // its error is passed on, or it lost
    auto* waiting = new part<Owner>{boost::intrusive_ptr<Owner>{owner}, core_ptr{&result}, index};
    if (!result.attach(*waiting)) waiting->resume();
}

/// What the combinations have in common: the cores of all parts, cancelled together, and one
/// completion.
/// The last part is cancelled first: what waits behind another must not start when that is stopped.
template <class Value>
class gathering : public result_state<Value> {
public:
    bool cancel() noexcept override {
        bool any = false;
        for (const auto& c : std::views::reverse(cores_))
            any = c->cancel() || any;
        return any;
    }
    void help() noexcept override {
        for (const auto& c : cores_)
            if (!c->ready()) return c->help();
    }
    const boost::asio::any_io_executor* callback_executor() const noexcept override {
        return cores_.empty() ? nullptr : cores_.front()->callback_executor();
    }

protected:
    explicit gathering(std::vector<core_ptr> cores) noexcept
        : cores_{std::move(cores)}, missing_{cores_.size()} {}

    /// True for the one that may complete the whole.
    bool claim() noexcept { return !claimed_.exchange(true, std::memory_order_acq_rel); }
    bool last_arrived() noexcept { return missing_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

    void complete_with_error(std::exception_ptr error, const result_core* culprit) {
        this->set_error(std::move(error));
        this->complete();
        for (const auto& c : std::views::reverse(cores_))
            if (c.get() != culprit) c->cancel();
    }
    template <class Make>
    void complete_with(Make&& make) {
        try {
            this->emplace(make());
        } catch (...) {
            this->set_error(std::current_exception());
        }
        this->complete();
    }

    const std::vector<core_ptr> cores_;

private:
    std::atomic<std::size_t> missing_;
    std::atomic<bool> claimed_{false};
};

template <class... R>
class all_of_tuple final : public gathering<std::tuple<regular_t<R>...>> {
    using value = std::tuple<regular_t<R>...>;

public:
    static async_result<value> start(const state_ptr<R>&... parts) {
        boost::intrusive_ptr<all_of_tuple> made{new all_of_tuple{parts...}};
        for (std::size_t i = 0; i < made->cores_.size(); ++i)
            wait_for(made.get(), *made->cores_[i], i);
        if constexpr (sizeof...(R) == 0) made->complete_with([] { return value{}; });
        return async_result<value>{state_ptr<value>{made.get()}};
    }
    void arrived(std::size_t index) noexcept {
        const auto& core = *this->cores_[index];
        if (core.error()) {
            if (this->claim()) this->complete_with_error(core.error(), &core);
        } else if (this->last_arrived() && this->claim()) {
            this->complete_with([&] {
                return std::apply([](const auto&... p) { return value{take_regular(*p)...}; },
                                  parts_);
            });
        }
    }

private:
    explicit all_of_tuple(const state_ptr<R>&... parts)
        : gathering<value>{std::vector<core_ptr>{core_ptr{parts.get()}...}}, parts_{parts...} {}
    std::tuple<state_ptr<R>...> parts_;
};

template <class R>
class all_of_vector final : public gathering<std::vector<regular_t<R>>> {
    using value = std::vector<regular_t<R>>;

public:
    static async_result<value> start(std::vector<state_ptr<R>> parts) {
        boost::intrusive_ptr<all_of_vector> made{new all_of_vector{std::move(parts)}};
        for (std::size_t i = 0; i < made->cores_.size(); ++i)
            wait_for(made.get(), *made->cores_[i], i);
        if (made->cores_.empty()) made->succeed();
        return async_result<value>{state_ptr<value>{made.get()}};
    }
    void arrived(std::size_t index) noexcept {
        const auto& core = *this->cores_[index];
        if (core.error()) {
            if (this->claim()) this->complete_with_error(core.error(), &core);
        } else if (this->last_arrived() && this->claim()) {
            succeed();
        }
    }

private:
    explicit all_of_vector(std::vector<state_ptr<R>> parts)
        : gathering<value>{std::vector<core_ptr>(parts.begin(), parts.end())},
          parts_{std::move(parts)} {}
    void succeed() noexcept {
        this->complete_with([this] {
            value out;
            out.reserve(parts_.size());
            for (const auto& p : parts_)
                out.push_back(take_regular(*p));
            return out;
        });
    }
    std::vector<state_ptr<R>> parts_;
};

template <class... R>
class any_of_tuple final : public gathering<std::variant<regular_t<R>...>> {
    using value = std::variant<regular_t<R>...>;

public:
    static async_result<value> start(const state_ptr<R>&... parts) {
        boost::intrusive_ptr<any_of_tuple> made{new any_of_tuple{parts...}};
        for (std::size_t i = 0; i < made->cores_.size(); ++i)
            wait_for(made.get(), *made->cores_[i], i);
        return async_result<value>{state_ptr<value>{made.get()}};
    }
    void arrived(std::size_t index) noexcept {
        if (!this->claim()) return;
        const auto& core = *this->cores_[index];
        if (core.error()) return this->complete_with_error(core.error(), &core);
        this->complete_with([&] { return pick<0>(index); });
        for (const auto& c : std::views::reverse(this->cores_))
            if (c.get() != &core) c->cancel();
    }

private:
    explicit any_of_tuple(const state_ptr<R>&... parts)
        : gathering<value>{std::vector<core_ptr>{core_ptr{parts.get()}...}}, parts_{parts...} {}
    template <std::size_t I>
    value pick(std::size_t index) {
        if constexpr (I + 1 < sizeof...(R))
            if (index != I) return pick<I + 1>(index);
        return value{std::in_place_index<I>, take_regular(*std::get<I>(parts_))};
    }
    std::tuple<state_ptr<R>...> parts_;
};

template <class R>
class any_of_vector final : public gathering<std::pair<std::size_t, regular_t<R>>> {
    using value = std::pair<std::size_t, regular_t<R>>;

public:
    static async_result<value> start(std::vector<state_ptr<R>> parts) {
        if (parts.empty()) throw std::invalid_argument{"coproc::when_any: no results to wait for"};
        boost::intrusive_ptr<any_of_vector> made{new any_of_vector{std::move(parts)}};
        for (std::size_t i = 0; i < made->cores_.size(); ++i)
            wait_for(made.get(), *made->cores_[i], i);
        return async_result<value>{state_ptr<value>{made.get()}};
    }
    void arrived(std::size_t index) noexcept {
        if (!this->claim()) return;
        const auto& core = *this->cores_[index];
        if (core.error()) return this->complete_with_error(core.error(), &core);
        this->complete_with([&] { return value{index, take_regular(*parts_[index])}; });
        for (const auto& c : std::views::reverse(this->cores_))
            if (c.get() != &core) c->cancel();
    }

private:
    explicit any_of_vector(std::vector<state_ptr<R>> parts)
        : gathering<value>{std::vector<core_ptr>(parts.begin(), parts.end())},
          parts_{std::move(parts)} {}
    std::vector<state_ptr<R>> parts_;
};

/// A stream that results flow into.
template <class R>
class completion_stream final : public result_core,
                                public stream_state<std::pair<std::size_t, regular_t<R>>> {
    using value = std::pair<std::size_t, regular_t<R>>;

public:
    static stream<value> start(std::vector<state_ptr<R>> parts) {
        boost::intrusive_ptr<completion_stream> made{new completion_stream{std::move(parts)}};
        for (std::size_t i = 0; i < made->parts_.size(); ++i)
            wait_for(made.get(), *made->parts_[i], i);
        if (made->parts_.empty()) made->end();
        auto* state = made.get();
        return stream<value>{std::shared_ptr<stream_state<value>>{
            state, [made = std::move(made)](stream_state<value>* s) { s->abandon(); }}};
    }
    void arrived(std::size_t index) noexcept {
        if (parts_[index]->error()) {
            this->end(parts_[index]->error());
        } else {
            try {
                this->push(value{index, take_regular(*parts_[index])});
            } catch (...) {
                this->end(std::current_exception());
            }
        }
        if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) this->end();
    }
    void abandon() noexcept override {
        report_unseen(this->discard()); // first, since what is cancelled arrives as an error
        for (const auto& p : std::views::reverse(parts_))
            p->cancel();
    }

private:
    using typename stream_state<value>::item_ptr;

    /// What an awaiting coroutine waits for: cancelling it cancels all that has not come.
    class awaited_item final : public result_state<std::optional<value>> {
    public:
        explicit awaited_item(completion_stream* of) noexcept : of_{of} {}
        bool cancel() noexcept override {
            bool any = false;
            for (const auto& p : std::views::reverse(of_->parts_))
                any = p->cancel() || any;
            return any;
        }
        void help() noexcept override {
            for (const auto& p : of_->parts_)
                if (!p->ready()) return p->help();
        }
        const boost::asio::any_io_executor* callback_executor() const noexcept override {
            return of_->parts_.empty() ? nullptr : of_->parts_.front()->callback_executor();
        }

    private:
        boost::intrusive_ptr<completion_stream> of_;
    };
    item_ptr make_item() override { return item_ptr{new awaited_item{this}}; }

    explicit completion_stream(std::vector<state_ptr<R>> parts)
        : parts_{std::move(parts)}, missing_{parts_.size()} {}
    void on_demand() override {}

    std::vector<state_ptr<R>> parts_;
    std::atomic<std::size_t> missing_;
};

} // namespace coproc::detail
