// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Names of types, for people.

#include <string>
#include <typeinfo>

namespace coproc::detail {

/// "std::vector<int, ...>" for a mangled name; the name itself when it is not one.
[[nodiscard]] std::string demangle(const char* mangled);

/// Without coproc's own and the standard library's wrapping, and with the name that users write.
[[nodiscard]] std::string unwrapped_type_name(const std::type_info& type);

/// The type of the exception that is being handled by this thread, without coproc's own wrapping:
/// for a task's failure it is the type that the task threw.
[[nodiscard]] std::string current_exception_type_name();

} // namespace coproc::detail
