// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A parent to be killed. Its workers say their pids on stdout and never end by themselves.
//     parent busy|idle|nested|large spawn|forkserver|fork

#include <coproc/coproc.hpp>

#include <cstdio>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

void say_pid() {
    std::printf("pid %d\n", static_cast<int>(::getpid()));
    std::fflush(stdout);
}

void spin(int /*unused*/) {
    say_pid();
    for (;;)
        asm volatile("");
}

/// A pool within a worker, and one within a worker of that.
void nest(int depth) {
    say_pid();
    if (depth == 0) spin(0);
    coproc::pool inner{1};
    inner.apply(&nest, depth - 1);
}

std::size_t take(const std::string& text) { return text.size(); }

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc < 3) return 2;
    const std::string_view mode = argv[1];
    const std::string_view method = argv[2];
    coproc::pool_options options;
    options.workers = 2;
    options.start = method == "fork"         ? coproc::start_method::fork
                    : method == "forkserver" ? coproc::start_method::forkserver
                                             : coproc::start_method::spawn;
    // Every worker says so itself: one that is ready early may run all tasks of a map.
    if (mode == "idle" || mode == "large") options.initializer = coproc::job{&say_pid};
    coproc::pool pool{options};
    if (mode == "busy") pool.map(&spin, {1, 2});
    if (mode == "idle") pool.apply(&take, std::string{});
    if (mode == "nested") pool.map(&nest, {2, 2});
    if (mode == "large") {
        const std::string text(std::size_t{64} << 20, 'x');
        for (;;)
            pool.apply(&take, text);
    }
    for (;;)
        ::pause();
}
