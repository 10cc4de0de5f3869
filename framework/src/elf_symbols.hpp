// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace coproc::detail {

/// The functions of an ELF file, as its symbol table names them. A file that cannot be read has
/// none.
class elf_symbols {
public:
    explicit elf_symbols(const std::string& path);

    /// The demangled name of the function at this virtual address; empty when it is not known.
    [[nodiscard]] std::string function_at(std::uint64_t address) const;

private:
    struct symbol {
        std::uint64_t begin;
        std::uint64_t size;
        std::string name;
    };
    std::vector<symbol> symbols_; // by address
};

} // namespace coproc::detail
