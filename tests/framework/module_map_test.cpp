// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/module_map.hpp>

#include "catch.hpp"
#include "forked.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace coproc_test;

namespace {

int some_function() { return 1; }

bool finds_its_code() {
    return coproc::detail::module_of(reinterpret_cast<std::uintptr_t>(&some_function)) != nullptr;
}

} // namespace

TEST_CASE("modules: the child of a fork finds them, whatever the parent's threads were doing") {
    std::atomic<bool> enough{false};
    std::vector<std::thread> others;
    for (int i = 0; i != 3; ++i)
        others.emplace_back([&] {
            while (!enough)
                if (!finds_its_code()) std::abort();
        });
    int right = 0;
    for (int i = 0; i != 300; ++i) {
        forked child{[] {
            ::alarm(20); // rather than hang
            ::_exit(finds_its_code() ? 0 : 1);
        }};
        if (child.wait() == 0) ++right;
    }
    enough = true;
    for (auto& one : others)
        one.join();
    CHECK(right == 300);
}
