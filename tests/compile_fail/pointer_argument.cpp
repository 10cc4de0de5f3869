// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: a raw pointer

#include <coproc/job.hpp>

struct request {
    int id = 0;
    double* data = nullptr;
};

int main() {
    const coproc::job j{[](const request&) {}, request{}};
}
