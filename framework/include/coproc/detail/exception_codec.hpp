// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Exceptions as they travel. A standard exception and one of coproc's own arrive as the type they
// are, a registered one with its state or its text, everything else as remote_error; all with what
// was nested in them.

#include <coproc/detail/failure_info.hpp>
#include <coproc/detail/wire.hpp>

#include <cstddef>
#include <exception>
#include <vector>

namespace coproc::detail {

/// Never fails but for lack of memory: what cannot be encoded becomes a remote_error.
[[nodiscard]] std::vector<std::byte> encode_exception(const std::exception_ptr& exception);

/// The exception as a task_failure that came from `where`. Throws serialization_error for damaged
/// bytes.
[[nodiscard]] std::exception_ptr decode_exception(reader& r, const failure_info& where);

/// The same without a wire, for tasks that ran in this process: standard and registered types
/// become task_failures, a user's own type stays what it is.
[[nodiscard]] std::exception_ptr local_failure(const std::exception_ptr& exception,
                                               failure_info where);

/// A bootstrap_error that names the worker, with what its initializer threw nested in it.
[[nodiscard]] std::exception_ptr initializer_failure(failure_info where,
                                                     const std::exception_ptr& thrown);

} // namespace coproc::detail

#include <coproc/register_exception.hpp>
