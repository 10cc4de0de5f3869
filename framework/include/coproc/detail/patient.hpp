// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>

#include <chrono>

namespace coproc::detail {

/// Base of managers and of their proxies: how long their calls wait.
template <class Derived>
class patient {
public:
    /// The same object, through a proxy whose blocking calls give up after so long, counted from
    /// each call, with a timeout_error (`kind()`: waiting):
    ///
    ///     d.within(2s).at("apples");
    ///
    /// This one and asynchronous operations wait as before; a time that is not positive is up at
    /// once, and the longest one is for ever. It is not sent along: a proxy that arrives in another
    /// process waits as long as it takes. Of a call's own timeout and this, the earlier one counts,
    /// each in its own way. A call that gave up may have been carried out, or may still be, but
    /// what it would have taken stays where it was: an element in its queue, a lock, a permit. The
    /// proxy and its other calls are none the worse for it. Thread safe.
    [[nodiscard]] Derived within(duration timeout) const {
        Derived copy{static_cast<const Derived&>(*this)};
        static_cast<patient&>(copy).patience_ = timeout;
        return copy;
    }

protected:
    patient() noexcept = default;
    ~patient() = default;
    patient(const patient&) = default;
    patient(patient&&) noexcept = default;
    patient& operator=(const patient&) = default;
    patient& operator=(patient&&) noexcept = default;

    [[nodiscard]] std::chrono::nanoseconds patience() const noexcept { return patience_; }
    [[nodiscard]] bool waits_for_ever() const noexcept { return patience_ == for_ever; }

private:
    static constexpr std::chrono::nanoseconds for_ever = std::chrono::nanoseconds::max();

    std::chrono::nanoseconds patience_ = for_ever;
};

} // namespace coproc::detail
