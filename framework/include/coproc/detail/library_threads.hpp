// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace coproc::detail {

/// Starts the threads of the library's own that are otherwise started by whoever needs one first:
/// they would for ever be bound to the CPUs of that one.
void start_library_threads();

} // namespace coproc::detail
