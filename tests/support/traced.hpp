// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/pools.hpp"

#include <string>
#include <utility>

namespace coproc_test {

/// An object that raises a sign when it is destroyed.
struct traced {
    explicit traced(std::string where) : sign{std::move(where)} {}
    traced(const traced&) = delete;
    traced& operator=(const traced&) = delete;
    ~traced() { raise_sign(sign); }
    std::string sign;
    int touch() { return 1; }
};

} // namespace coproc_test
