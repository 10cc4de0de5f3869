// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: .*pointer

#include <coproc/process_base.hpp>

#include <tuple>

struct counter : coproc::process_base<counter> {
    int* n = nullptr;
    auto members() { return std::tie(n); }
    void run() {}
};

int main() {
    counter c;
    c.start();
}
