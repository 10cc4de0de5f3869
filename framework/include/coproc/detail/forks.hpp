// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace coproc::detail {

/// How many forks lie between the program's start and this process.
unsigned count_forks() noexcept;

} // namespace coproc::detail
