// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// expect: coproc: this type cannot be sent to a worker process

#include <coproc/job.hpp>

#include <vector>

class secret {
public:
    explicit secret(int n) : n_{n} {}

private:
    int n_;
};

int main() {
    const coproc::job j{[](const std::vector<secret>&) {}, std::vector<secret>{}};
}
