// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The library's own threads: one waits for the descriptors of all pools, one runs callbacks (see
// callback_executor.hpp), one passes on what workers print with their names. They start at first
// use and are never stopped: at exit they may be in the middle of anything, and nothing waits for
// them. In the child of a fork they begin anew.

#include <coproc/detail/callback_executor.hpp>

#include <boost/asio/io_context.hpp>

namespace coproc::detail {

/// The io_context of the reactor thread. Its handlers must not block; what they throw goes to the
/// log.
boost::asio::io_context& reactor();

/// That of the thread that writes to the program's stdout and stderr, and may block there.
boost::asio::io_context& output_context();

/// Whether the calling thread is the reactor's.
bool on_reactor_thread() noexcept;

} // namespace coproc::detail
