// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: an aggregate with a C array .*members

#include <coproc/job.hpp>

#include <string>

struct table {
    int size = 0;
    std::string names[4];
};

int main() {
    const coproc::job j{[](const table&) {}, table{}};
}
