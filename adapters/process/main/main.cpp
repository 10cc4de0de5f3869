// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// coproc::main: the guard for programs whose main() is not theirs to edit. The linker's --wrap=main
// sends the C runtime here first, and names the program's own main() __real_main.

#include <coproc/runtime.hpp>

extern "C" {
int __real_main(int argc, char** argv);
int __wrap_main(int argc, char** argv);

int __wrap_main(int argc, char** argv) {
    coproc::runtime runtime{argc, argv}; // in a worker process this never returns
    return __real_main(argc, argv);
}
}
