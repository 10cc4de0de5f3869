// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where a program is, and where it threw. Frames are kept as offsets in modules, which is what
// travels; names and lines are looked up by whoever reads them (backtrace_data::text).

#include <coproc/detail/failure_info.hpp>
#include <coproc/detail/wire.hpp>

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <vector>

namespace coproc::detail {

/// The code addresses of this thread's calls, innermost first, without this function's own. Takes
/// no lock of its own and allocates nothing, once the unwinder is loaded.
std::size_t unwind(std::span<void*> out) noexcept;

/// Addresses of this process as frames that mean the same in others.
[[nodiscard]] backtrace_data to_backtrace(std::span<void* const> addresses);

/// Whether throw expressions of this thread record where they are; returns what was before. A
/// worker's loop sets it around tasks. Costs nothing where the program was built without
/// COPROC_THROW_BACKTRACES.
bool trace_throws(bool on) noexcept;

/// Where this exception was thrown, if this thread threw it lately and traced it.
[[nodiscard]] backtrace_data thrown_backtrace(const std::exception_ptr& exception);

void size_backtrace(sizer& s, const backtrace_data& trace);
void encode_backtrace(writer& w, const backtrace_data& trace);
[[nodiscard]] backtrace_data decode_backtrace(reader& r);

/// One line per frame: function, file and line where debug information and addr2line are there, the
/// function from the symbol table else. The library's own frames below the task are left out.
[[nodiscard]] std::string symbolize(const std::vector<backtrace_frame>& frames);

} // namespace coproc::detail
