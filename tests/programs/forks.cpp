// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program that forks while its pool lives: the copy ends, and the pool works on.
//     forks exit|_exit|own|use process|dummy

#include <coproc/coproc.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace {

int twice(int x) { return 2 * x; }
std::unique_ptr<coproc::pool> shared;

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc < 3) return 2;
    const std::string_view mode = argv[1];
    coproc::pool_options options;
    options.workers = 2;
    options.backend = argv[2];
    shared = std::make_unique<coproc::pool>(options);
    if (shared->apply(&twice, 1) != 2) return 3;
    auto waiting = shared->apply_async(
        [](int x) {
            ::usleep(300'000);
            return x;
        },
        5);
    const pid_t child = ::fork();
    if (child == 0) {
        if (mode == "_exit") ::_exit(9);
        if (mode == "own") { // a pool of its own
            coproc::pool own{1};
            std::_Exit(own.apply(&twice, 4) == 8 ? 9 : 1);
        }
        if (mode == "use") { // which is not its own
            try {
                static_cast<void>(shared->apply_async(&twice, 4));
            } catch (const std::logic_error&) {
                std::_Exit(9);
            }
            std::_Exit(1);
        }
        std::exit(9); // destroys the copy of the pool
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    std::printf("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    std::printf("result %d %d\n", waiting.get(), shared->apply(&twice, 6));
    std::fflush(stdout);
    return 0;
}
