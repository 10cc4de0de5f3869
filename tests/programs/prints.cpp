// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Workers that print at the same time, piece by piece, with everything that prints.
//     prints spawn|forkserver|fork

#include <coproc/coproc.hpp>

#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

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

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const std::string_view method = argc > 1 ? argv[1] : "spawn";
    coproc::pool_options options;
    options.workers = 4;
    options.start = method == "fork"         ? coproc::start_method::fork
                    : method == "forkserver" ? coproc::start_method::forkserver
                                             : coproc::start_method::spawn;
    coproc::pool pool{options};
    auto h = pool.with({.chunk_size = 1}).map_async(&print, std::views::iota(0, 40));
    h.get();
    pool.close();
    pool.join();
}
