// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: a lambda with captures .*bind_front

#include <coproc/process.hpp>

int main() {
    int n = 1;
    coproc::process p{[&n] { ++n; }};
    p.start();
}
