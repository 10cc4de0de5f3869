// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/async_now.hpp>
#include <coproc/dummy/detail/limited.hpp>
#include <coproc/dummy/queue.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>

#include <utility>

namespace coproc::dummy {

/// coproc::queue_proxy among the threads of one program: its queue. *Exceptions*: as those of the
/// queue; timeout_error through within().
template <class T>
class queue_proxy : public queue<T>, public detail::threads::limited<queue_proxy<T>> {
    using base = queue<T>;

public:
    using base::base;

    void put(T x) const {
        if (!this->items()->put(std::move(x), this->limit(), this->items()))
            detail::threads::throw_gave_up();
    }
    void put(T x, duration timeout) const {
        if (timeout <= this->patience()) return base::put(std::move(x), timeout);
        put(std::move(x));
    }
    T get() const {
        auto x = this->items()->get(this->limit(), this->items());
        if (!x) detail::threads::throw_gave_up();
        return std::move(*x);
    }
    T get(duration timeout) const {
        if (timeout <= this->patience()) return base::get(timeout);
        return get();
    }

    /// The asynchronous forms of the others. *Completion signature*: void(std::exception_ptr, R)
    /// for what the blocking form returns, or void(std::exception_ptr). *Exceptions*: as the
    /// blocking form. *Cancellation*: none, each is done when it is started.
    template <detail::token_for<std::size_t> Token = asio::deferred_t>
    auto async_size(Token&& token = Token()) const {
        return detail::threads::async_now<std::size_t>([self = *this] { return self.size(); },
                                                       std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = asio::deferred_t>
    auto async_empty(Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this] { return self.empty(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = asio::deferred_t>
    auto async_full(Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this] { return self.full(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<std::size_t> Token = asio::deferred_t>
    auto async_maxsize(Token&& token = Token()) const {
        return detail::threads::async_now<std::size_t>([self = *this] { return self.maxsize(); },
                                                       std::forward<Token>(token));
    }
    template <detail::token_for<bool> Token = asio::deferred_t>
    auto async_closed(Token&& token = Token()) const {
        return detail::threads::async_now<bool>([self = *this] { return self.closed(); },
                                                std::forward<Token>(token));
    }
    template <detail::token_for<void> Token = asio::deferred_t>
    auto async_close(Token&& token = Token()) const {
        return detail::threads::async_now<void>([self = *this] { self.close(); },
                                                std::forward<Token>(token));
    }
};

} // namespace coproc::dummy
