// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/fork_guard.hpp>

#include "catch.hpp"

#include <coproc/detail/forks.hpp>

#include <sys/wait.h>
#include <unistd.h>

namespace {

unsigned seen_by_reset = 0;

} // namespace

TEST_CASE("fork_guard: what is reset in a fork's child finds the child's count") {
    const unsigned here = coproc::detail::count_forks();
    coproc::detail::on_fork_in_child(
        []() noexcept { seen_by_reset = coproc::detail::count_forks(); });
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(seen_by_reset == here + 1 && coproc::detail::count_forks() == here + 1 ? 0 : 1);
    REQUIRE(child > 0);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(seen_by_reset == 0);
    CHECK(coproc::detail::count_forks() == here);
}
