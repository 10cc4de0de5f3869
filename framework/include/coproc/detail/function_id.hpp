// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The name of a function in every process that runs the same build: the module it stands in, and
// its offset from where that module is loaded. Nothing is registered and nothing is remembered
// between messages; a library that the receiver has not loaded yet is loaded when one of its
// functions arrives.

#include <coproc/detail/wire.hpp>

#include <cstdint>
#include <string>

namespace coproc::detail {

struct function_id {
    std::uint64_t module = 0; // 0: the program itself; else a hash of the library's build id
    std::uint64_t offset = 0;

    friend bool operator==(const function_id&, const function_id&) = default;
};

/// Where `address` stands. Throws serialization_error when it belongs to no loaded file (generated
/// code, say).
[[nodiscard]] function_id identify(const void* address);

/// The wire form: 16 bytes for a function of the program, the library's path and build id besides
/// for others. A null pointer travels too. All are thread safe; decoding may load a library, and
/// throws serialization_error when it is missing or is another build.
void size_function(sizer& s, const void* address);
void encode_function(writer& w, const void* address);
[[nodiscard]] void* decode_function(reader& r);

/// What two processes compare before they exchange functions of the program itself.
[[nodiscard]] const std::string& program_build_id();

} // namespace coproc::detail
