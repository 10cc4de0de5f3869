// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: the function cannot be called with these arguments as they arrive

#include <coproc/job.hpp>

int main() {
    const coproc::job j{[](const char* text) { return text; }, "literal"};
}
