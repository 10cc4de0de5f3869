// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Which operations belong to an exception: those of the standard types and coproc's own, numbered,
// and those of registered types.

#include <coproc/register_exception.hpp>

#include <cstdint>
#include <string>
#include <typeinfo>

namespace coproc::detail {

struct standard_exception {
    std::uint16_t number;
    const exception_operations* operations;
};

/// By the name of the type, unwrapped (current_exception_type_name). Null when it is none of these.
[[nodiscard]] const standard_exception* find_standard(const std::string& type_name);
[[nodiscard]] const exception_operations* standard_by_number(std::uint16_t number) noexcept;

/// Null when the type was not registered.
[[nodiscard]] exception_accessor find_registered(const std::type_info& type,
                                                 const std::string& type_name);
[[nodiscard]] bool is_registered(exception_accessor accessor);

} // namespace coproc::detail
