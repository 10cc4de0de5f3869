// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/backtrace.hpp>

namespace coproc::detail {

std::string symbolize(const std::vector<backtrace_frame>& frames) {
    std::string text;
    for (const auto& frame : frames) text += frame.module + "+" + std::to_string(frame.offset) + "\n";
    return text;
}

} // namespace coproc::detail
