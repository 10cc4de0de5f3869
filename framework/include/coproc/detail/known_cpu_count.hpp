// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace coproc::detail {

/// cpu_count() as it was when this was first called: that one reads files. Not before main.
[[nodiscard]] unsigned known_cpu_count() noexcept;

/// Whoever waits had better sleep at once.
[[nodiscard]] inline bool single_cpu() noexcept { return known_cpu_count() == 1; }

} // namespace coproc::detail
