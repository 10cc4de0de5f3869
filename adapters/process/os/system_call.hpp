// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace coproc::detail::os {

/// Throws std::system_error for errno (or `error`) with a text that says what was attempted.
[[noreturn]] void throw_system_error(const char* attempted, int error = errno);

/// Passes the result of a system call through; -1 is thrown as std::system_error.
template <class T>
T check(T result, const char* attempted) {
    if (result == T(-1)) throw_system_error(attempted);
    return result;
}

/// Repeats a system call that a signal interrupted.
template <class F>
auto retry(F&& call) noexcept(noexcept(call())) {
    for (;;) {
        const auto result = call();
        if (result != decltype(result)(-1) || errno != EINTR) return result;
    }
}

} // namespace coproc::detail::os
