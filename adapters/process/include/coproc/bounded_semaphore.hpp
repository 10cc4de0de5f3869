// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/semaphore.hpp>

namespace coproc {

/// A semaphore that never holds more units than at first: a release() too many is a
/// std::logic_error and changes nothing. As a semaphore (it is one) it is the same object with the
/// same bound.
class bounded_semaphore : public semaphore {
public:
    /// One unit, as Python has it.
    bounded_semaphore() : bounded_semaphore{1} {}
    /// So many units at first and at most. *Exceptions*: std::invalid_argument if negative;
    /// std::system_error when there is no memory or descriptor.
    template <detail::count N>
    explicit bounded_semaphore(N initial)
        : semaphore{detail::count_of(initial, "a semaphore's initial value"), true} {}

private:
    friend struct detail::handle_access;
    explicit bounded_semaphore(std::shared_ptr<detail::semaphore_object> object) noexcept
        : semaphore{std::move(object)} {}
};

/// Travels as a handle of the same semaphore.
template <>
struct codec<bounded_semaphore> : detail::handle_codec<bounded_semaphore> {};

} // namespace coproc
