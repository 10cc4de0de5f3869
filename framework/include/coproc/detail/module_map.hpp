// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The files that are mapped into this process as code: the program and its libraries.

#include <cstdint>
#include <memory>
#include <string>

namespace coproc::detail {

struct module_info {
    std::string path{};      // absolute; empty for the program itself
    std::string build_id{};  // never empty
    std::uint64_t key = 0;   // 0 for the program itself, else a hash of the build id
    std::uintptr_t base = 0; // what offsets count from
    std::uintptr_t code_begin = 0;
    std::uintptr_t code_end = 0; // executable segments lie between these

    [[nodiscard]] bool has_code(std::uintptr_t address) const noexcept {
        return address >= code_begin && address < code_end;
    }
};

/// The module in which `address` is code; null when there is none. Thread safe, cached; about 50
/// ns.
[[nodiscard]] std::shared_ptr<const module_info> module_of(std::uintptr_t address);

/// A loaded module by its key; null when it is not loaded.
[[nodiscard]] std::shared_ptr<const module_info> module_by_key(std::uint64_t key);

/// The program itself.
[[nodiscard]] const module_info& program_module();

/// The name under which other processes can open the program itself.
[[nodiscard]] std::string program_path();

} // namespace coproc::detail
