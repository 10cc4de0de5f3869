// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/forks.hpp>

#include <pthread.h>

namespace coproc::detail {

constinit std::atomic<unsigned> forks_so_far{0};

void start_counting_forks() noexcept {
    static const int registered = ::pthread_atfork(
        nullptr, nullptr, [] { forks_so_far.fetch_add(1, std::memory_order_relaxed); });
    static_cast<void>(registered);
}

namespace {

const made_before_main counting{start_counting_forks};

} // namespace

} // namespace coproc::detail
