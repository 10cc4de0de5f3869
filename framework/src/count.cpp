// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/count.hpp>

#include <stdexcept>
#include <string>

namespace coproc::detail {

void negative_count(const char* what) {
    throw std::invalid_argument{std::string{"coproc: "} + what + " cannot be negative"};
}

} // namespace coproc::detail
