// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// How a process ended: its exit code is 0 or what it gave to std::exit, 1 after an exception (which
// is printed on standard error, with the name of the process), negative after a signal.

#include <coproc/coproc.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace mp = coproc; // coproc::dummy runs it on threads, which cannot exit or be stopped by force

void succeed() {}
void give_up() { std::exit(3); }
void fail() { throw std::runtime_error{"there is no such file"}; }
void crash() { std::abort(); }
void hang() { std::this_thread::sleep_for(std::chrono::hours{1}); }

void report(const mp::process& p) {
    std::cout << p.name() << ": " << p.exit_code().value() << std::endl;
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};

    mp::process processes[] = {
        mp::process{{.name = "succeed"}, succeed}, mp::process{{.name = "give up"}, give_up},
        mp::process{{.name = "fail"}, fail}, mp::process{{.name = "crash"}, crash}};
    for (auto& p : processes) {
        p.start();
        p.join();
        report(p);
    }

    mp::process terminated{{.name = "terminate"}, hang};
    terminated.start();
    if (!terminated.join(std::chrono::milliseconds{50})) {
        std::cout << terminated.name() << ": " << (terminated.is_alive() ? "still" : "not")
                  << " there\n";
        terminated.terminate(); // SIGTERM, which a process may handle
    }
    terminated.join();
    report(terminated);

    mp::process killed{{.name = "kill"}, hang};
    killed.start();
    killed.kill(); // SIGKILL, which none can
    killed.join();
    report(killed);
}
