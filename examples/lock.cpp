// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A lock between processes, and what is left of it when its owner dies.

#include <coproc/coproc.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>
#include <unistd.h>
#include <vector>

namespace mp = coproc; // on threads, where nobody dies: namespace mp = coproc::dummy;

// Reads a number and writes the next one: wrong, if two do so at once.
void count(const mp::mutex& lock, const std::string& file, int times) {
    for (int i = 0; i < times; ++i) {
        const std::scoped_lock held{lock};
        int n = 0;
        std::ifstream{file} >> n;
        std::ofstream{file} << n + 1;
    }
}

void die_with(const mp::mutex& lock) {
    lock.lock();
    raise(SIGKILL);
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    mp::pool pool{4};
    const auto file =
        std::filesystem::temp_directory_path() / ("coproc-example-" + std::to_string(getpid()));

    const mp::mutex lock;
    std::vector<mp::async_result<void>> counting;
    for (int i = 0; i < 4; ++i)
        counting.push_back(pool.apply_async(count, lock, file.string(), 250));
    for (auto& one : counting)
        one.get();
    int n = 0;
    std::ifstream{file} >> n;
    std::cout << "counted to " << n << '\n';
    std::filesystem::remove(file);

    try {
        pool.apply(die_with, lock);
    } catch (const mp::worker_lost_error& e) {
        std::cout << "the owner died of " << e.signal_name() << '\n';
    }
    try {
        const std::scoped_lock held{lock};
    } catch (const mp::owner_died_error&) {
        std::cout << "its successor is told, and does not have the lock\n";
    }
    const std::scoped_lock held{lock};
    std::cout << "then it works again\n";
}
