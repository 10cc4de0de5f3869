// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: a class derived from process_base names the state

#include <coproc/process_base.hpp>

struct counter : coproc::process_base<counter> {
    int n = 0;
    void run() {}
};

int main() {
    counter c;
    c.start();
}
