// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One call: callable, arguments and result in one allocation.

#include <coproc/detail/backend.hpp>
#include <coproc/detail/bump_allocator.hpp>
#include <coproc/detail/call_invoker.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/work.hpp>

#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// What both kinds of works with a single result have in common: who cancels, who helps, where
/// callbacks run.
template <class Value>
class pool_result : public result_state<Value>, public work {
public:
    // In the child of a fork the pool is its parent's, and so are the calls in its channels.
    bool cancel() noexcept final {
        return !this->pool()->inherited() && this->pool()->cancel(*this);
    }
    void help() noexcept final {
        if (!this->pool()->inherited()) this->pool()->help(*this);
    }
    const boost::asio::any_io_executor* callback_executor() const noexcept final {
        return this->pool()->callback_executor();
    }

protected:
    pool_result(backend_ptr pool, work_settings settings, std::uint64_t items,
                bool more_to_come = false)
        : work{*this, std::move(pool), std::move(settings), items, more_to_come} {}
};

/// Where an exception in place was thrown.
failure_info here(const work& w, std::uint64_t item);

template <bool Remote, class F, class R, class... Args>
class call_work final : public pool_result<R>, public bump_allocated {
public:
    template <class G, class... A>
    call_work(backend_ptr pool, work_settings settings, G&& f, A&&... args)
        : pool_result<R>{std::move(pool), std::move(settings), 1},
          call_{std::in_place, std::forward<G>(f), std::tuple<Args...>{std::forward<A>(args)...}} {}

    chunk_outcome run(const chunk& c, item_observer& observer) noexcept override {
        observer.begin_item(0);
        try {
            auto call = std::move(*call_);
            call_.reset();
            auto invoke = [&]() -> decltype(auto) {
                return std::apply(
                    [&](Args&... args) -> decltype(auto) {
                        return invoke_once(call.first, std::move(args)...);
                    },
                    call.second);
            };
            if constexpr (std::is_void_v<R>)
                invoke();
            else if constexpr (Remote)
                this->emplace(to_travel(invoke()));
            else
                this->emplace(invoke());
            return {1, {}};
        } catch (...) {
            return {0, local_failure(std::current_exception(), here(*this, c.first))};
        }
    }

    [[nodiscard]] invoker remote() const noexcept override {
        if constexpr (Remote)
            return &call_invoker<F, R, Args...>::invoke;
        else
            return nullptr;
    }
    void size(const chunk& /*c*/, sizer& s) const override {
        if constexpr (Remote)
            std::apply([&](const Args&... args) { size_call(s, call_->first, args...); },
                       call_->second);
    }
    void encode(const chunk& /*c*/, writer& w) const override {
        if constexpr (Remote)
            std::apply([&](const Args&... args) { encode_call(w, call_->first, args...); },
                       call_->second);
    }
    chunk_outcome accept(const chunk& c, reader& r, const origin& from) noexcept override {
        if constexpr (Remote) {
            try {
                // A result of an argument's type takes over its memory.
                const spare_storage::permission kept_until_it_is_here;
                std::apply([](Args&... args) { (spare_storage::keep(args), ...); }, call_->second);
                if constexpr (!std::is_void_v<R>) this->emplace(decode_reply<R>(r));
                return {1, {}};
            } catch (...) {
                return {0, local_failure(std::current_exception(), from.where(*this, c.first))};
            }
        }
        return {0, {}};
    }

    void fail(std::uint64_t /*index*/, std::exception_ptr error) noexcept override {
        this->set_error(std::move(error));
    }
    void let_go() noexcept override { call_.reset(); }
    void finish() noexcept override { this->complete(); }

private:
    std::optional<std::pair<F, std::tuple<Args...>>> call_; // gone as soon as it has run
};

} // namespace coproc::detail
