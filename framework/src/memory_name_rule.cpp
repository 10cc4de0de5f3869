// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/memory_name_rule.hpp>

#include <stdexcept>
#include <string>

namespace coproc::detail {

void check_memory_name(std::string_view name) {
    if (name.empty() || name.size() > longest_memory_name ||
        name.find('\0') != std::string_view::npos)
        throw std::invalid_argument{"coproc: the name of shared memory must have 1 to " +
                                    std::to_string(longest_memory_name) +
                                    " bytes, none of them zero"};
}

} // namespace coproc::detail
