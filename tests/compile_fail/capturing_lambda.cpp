// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: a lambda with captures .*bind_front

#include <coproc/job.hpp>

int main() {
    int n = 1;
    const coproc::job j{[n](int x) { return n + x; }, 2};
}
