// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program whose processes outlast its main, in one way or another.
//     processes <mode> spawn|forkserver|fork
// Modes: busy (for ever, with a daemon, one that is none, and children of theirs; to be killed),
// exit, return, thread (three that end by themselves and a daemon that does not; the program ends
// at once), static (a process in a static object), inside (the same as return, in a process), fork
// (a copy of the program that ends while its processes run).

#include <coproc/coproc.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

void say(const std::string& what) {
    std::printf("%s %d\n", what.c_str(), static_cast<int>(::getpid()));
    std::fflush(stdout);
}

void stay() {
    say("pid");
    for (;;)
        ::pause();
}

void start(bool daemon, void (*what)()) {
    coproc::process p{{.daemon = daemon}, what};
    p.start();
    // Neither waited for nor forgotten: the end of the program decides.
    static auto& kept = *new std::vector<coproc::process>;
    kept.push_back(std::move(p));
}

void stay_with_children() {
    start(true, &stay);
    start(false, &stay);
    stay();
}

void end_later() {
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    say("done");
}

void start_some() {
    start(true, &stay);
    for (int i = 0; i < 3; ++i)
        start(false, &end_later);
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc < 3) return 2;
    const std::string_view mode = argv[1];
    const std::string_view method = argv[2];
    coproc::set_start_method(method == "fork"         ? coproc::start_method::fork
                             : method == "forkserver" ? coproc::start_method::forkserver
                                                      : coproc::start_method::spawn);
    if (mode == "busy") {
        start(true, &stay_with_children);
        start(false, &stay_with_children);
        stay();
    }
    if (mode == "static") {
        static coproc::process p{&end_later};
        p.start();
        return 7;
    }
    if (mode == "inside") {
        start(false, &start_some);
        return 7;
    }
    if (mode == "fork") {
        coproc::process p{&end_later};
        p.start();
        const pid_t copy = ::fork();
        if (copy == 0) {
            int refused = 0;
            const auto try_it = [&](auto&& call) {
                try {
                    call();
                } catch (const std::logic_error&) {
                    ++refused;
                }
            };
            try_it([&] { p.join(); });
            try_it([&] { p.kill(); });
            if (p.is_alive() || p.exit_code()) return 3;
            if (!coproc::active_children().empty()) return 4;
            coproc::process own{[] {}};
            own.start();
            own.join();
            return refused == 2 && own.exit_code() == 0 ? 9 : 5; // with its exit handlers
        }
        int status = 0;
        ::waitpid(copy, &status, 0);
        std::printf("copy %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        std::fflush(stdout);
        p.join();
        return p.exit_code() == 0 ? 7 : 1;
    }
    start_some();
    if (mode == "exit") std::exit(7);
    if (mode == "thread") std::thread{[] { std::exit(7); }}.join();
    return 7;
}
