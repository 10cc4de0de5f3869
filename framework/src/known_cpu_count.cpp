// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/known_cpu_count.hpp>

#include <coproc/cpu_count.hpp>
#include <coproc/detail/asked_once.hpp>

#include <exception>

namespace coproc::detail {

unsigned known_cpu_count() noexcept {
    static constinit asked_once known;
    return known.get([] {
        try {
            return cpu_count();
        } catch (const std::exception&) {
            return 2U;
        }
    });
}

} // namespace coproc::detail
