// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/system_call.hpp>

namespace coproc::detail::os {

void throw_system_error(const char* attempted, int error) {
    throw std::system_error{error, std::system_category(),
                            std::string{"coproc: cannot "} + attempted};
}

} // namespace coproc::detail::os
