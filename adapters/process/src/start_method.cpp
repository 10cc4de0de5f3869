// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/start_method.hpp>

#include <atomic>

namespace coproc {
namespace {

std::atomic<start_method> chosen{start_method::spawn};

} // namespace

void set_start_method(start_method method) noexcept {
    chosen.store(method, std::memory_order_relaxed);
}
start_method get_start_method() noexcept { return chosen.load(std::memory_order_relaxed); }

std::string_view to_string(start_method method) noexcept {
    switch (method) {
    case start_method::spawn:
        return "spawn";
    case start_method::forkserver:
        return "forkserver";
    case start_method::fork:
        return "fork";
    }
    return "unknown";
}

} // namespace coproc
