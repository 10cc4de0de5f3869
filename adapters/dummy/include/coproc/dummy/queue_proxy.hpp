// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

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
};

} // namespace coproc::dummy
