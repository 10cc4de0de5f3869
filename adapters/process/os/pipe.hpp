// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <os/unique_fd.hpp>

#include <cstddef>
#include <string_view>

namespace coproc::detail::os {

struct pipe_ends {
    unique_fd read; ///< does not block
    unique_fd write;
};

/// Both ends are closed on exec. Throws std::system_error.
pipe_ends make_pipe();

/// How many bytes can be read at once; 0 if that is not known.
std::size_t readable_bytes(int fd) noexcept;

/// Writes all of it, waiting where it must; false when it cannot be written (nobody reads).
bool write_all(int fd, std::string_view text) noexcept;

} // namespace coproc::detail::os
