// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program whose main lacks the runtime line. Each process that gets into main leaves a mark in a
// file, so that a test can count them. A worker gets no arguments, so what is to be done stands in
// the environment: COPROC_TEST_MARKS the file, COPROC_TEST_MODE spawn|forkserver|late, with
// "process" before it for a process instead of a pool

#include <coproc/coproc.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

int main() {
    const char* const file = std::getenv("COPROC_TEST_MARKS");
    const char* const how = std::getenv("COPROC_TEST_MODE");
    if (file == nullptr || how == nullptr) return 2;
    const std::string_view mode = how;
    const int marks = ::open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (::write(marks, ".", 1) != 1) return 2;
    ::close(marks);
    if (mode.ends_with("late") && std::getenv("COPROC_TEST_CHILD") != nullptr)
        return 3; // ends before it makes a pool
    ::setenv("COPROC_TEST_CHILD", "1", 1);
    try {
        if (mode.starts_with("process")) {
            coproc::process_options options;
            if (mode.ends_with("forkserver")) options.start = coproc::start_method::forkserver;
            coproc::process p{options, [] {}};
            p.start();
            p.join();
            std::printf("exit code %d\n", p.exit_code().value_or(-999));
            return 1;
        }
        coproc::pool_options options;
        options.workers = 2;
        if (mode == "forkserver") options.start = coproc::start_method::forkserver;
        coproc::pool pool{options};
        const int x = pool.apply([](int y) { return y; }, 1);
        std::printf("result %d\n", x);
    } catch (const coproc::bootstrap_error& e) {
        std::printf("bootstrap_error: %s\n", e.what());
        return 0;
    } catch (const std::exception& e) {
        std::printf("another error: %s\n", e.what());
    }
    return 1;
}
