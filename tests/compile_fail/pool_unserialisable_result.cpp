// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: this type cannot be sent to a worker process

#include <coproc/pool.hpp>

#include <thread>

int main() {
    coproc::pool pool;
    auto stream = pool.imap([](int) { return std::thread{}; }, {1});
}
