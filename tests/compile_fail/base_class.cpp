// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: an aggregate with a base class .*members

#include <coproc/job.hpp>

struct base {
    int a = 0;
};
struct derived : base {
    int b = 0;
};

int main() {
    const coproc::job j{[](const derived&) {}, derived{}};
}
