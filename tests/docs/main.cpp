// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Runs one of the documentation's programs, by page and number.

#include <coproc/runtime.hpp>

#include <iostream>
#include <string_view>

struct program {
    std::string_view name;
    void (*main)(int, char**);
};

#include "programs.inc"

int main(int argc, char** argv) {
    coproc::runtime runtime{argc, argv}; // the workers of all programs end up here
    const std::string_view wanted = argc > 1 ? argv[1] : "";
    for (const auto& each : programs)
        if (each.name == wanted) return each.main(argc, argv), 0;
    std::cerr << "usage: test_docs PROGRAM, one of\n";
    for (const auto& each : programs)
        std::cerr << "  " << each.name << '\n';
    return 2;
}
