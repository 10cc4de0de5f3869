// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program whose own file, or a library of which, is replaced while it runs.
//     replaced <sign to wait for> [library]

#include <coproc/coproc.hpp>

#include <cstdio>
#include <dlfcn.h>
#include <exception>
#include <unistd.h>

namespace {

int twice(int x) { return 2 * x; }

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc < 2) return 2;
    int (*function)(int) = &twice;
    if (argc > 2) {
        void* const library = ::dlopen(argv[2], RTLD_NOW);
        if (library == nullptr) return 3;
        function = reinterpret_cast<int (*)(int)>(::dlsym(library, "replaceable"));
        if (function == nullptr) return 3;
    }
    std::printf("ready\n");
    std::fflush(stdout);
    while (::access(argv[1], F_OK) != 0)
        ::usleep(1000);
    try {
        coproc::pool pool{1};
        std::printf("result %d\n", pool.apply(function, 21));
    } catch (const std::exception& e) {
        std::printf("error: %s\n", e.what());
    }
}
