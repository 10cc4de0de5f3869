// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Calls on objects of users' classes, in the server.

#include <manager/hosted.hpp>
#include <string>

namespace coproc::detail {

struct user_result {
    hosted_answer answer{};
    bool made = false; ///< the object has its instance now, and this type's name
    std::string type{};
};

/// `make` or `call`: decodes, calls, encodes; what is thrown becomes the answer.
user_result run_user_call(hosted_request& request, user_object& object) noexcept;

} // namespace coproc::detail
