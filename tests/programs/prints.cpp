// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Workers that print at the same time, piece by piece, with everything that prints.
//     prints spawn|forkserver|fork [plain|tagged|last-words|stuck]

#include <coproc/coproc.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

void print(int task) {
    const std::string text(200, static_cast<char>('a' + task % 26));
    for (int i = 0; i < 20; ++i) {
        if (task % 2 == 0) {
            std::printf("<%d:", task);
            std::printf("%s", text.c_str());
            std::printf(">\n");
        } else {
            std::cout << '<' << task << ':';
            std::cout << text;
            std::cout << ">\n";
        }
    }
}

/// To stdout and stderr, by itself and by another program, the last of it just before the end.
void say_last_words() {
    if (std::system("echo from a program") != 0) std::abort();
    std::cerr << "from stderr\n";
    constexpr std::string_view last = "without an end";
    if (::write(STDOUT_FILENO, last.data(), last.size()) < 0) std::abort();
    std::raise(SIGKILL);
}

void print_for_ever() {
    for (;;)
        std::puts("and on and on and on and on and on and on and on and on and on and on");
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const std::string_view method = argc > 1 ? argv[1] : "spawn";
    const std::string_view what = argc > 2 ? argv[2] : "plain";
    coproc::pool_options options;
    options.workers = what == "plain" || what == "tagged" ? 4 : 1;
    options.start = method == "fork"         ? coproc::start_method::fork
                    : method == "forkserver" ? coproc::start_method::forkserver
                                             : coproc::start_method::spawn;
    options.name = "printer";
    options.tag_output = what != "plain";
    coproc::pool pool{options};
    if (what == "last-words") {
        try {
            pool.apply(&say_last_words);
        } catch (const coproc::worker_lost_error&) {}
    } else if (what == "stuck") {
        auto h = pool.apply_async(&print_for_ever);
        static_cast<void>(h.wait(std::chrono::milliseconds{200})); // it is stuck or soon will be
        pool.terminate();
        pool.join();
        try {
            h.get();
        } catch (const coproc::cancelled_error&) {
            return 0;
        }
        return 1;
    } else {
        auto h = pool.with({.chunk_size = 1}).map_async(&print, std::views::iota(0, 40));
        h.get();
    }
    pool.close();
    pool.join();
}
