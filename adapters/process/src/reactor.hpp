// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The library's own threads: one waits for the descriptors of all pools, one runs callbacks (see
// callback_executor.hpp), one replaces workers, one passes on what workers print with their names.
// They start at first use and are never stopped: at exit they may be in the middle of anything, and
// nothing waits for them. In the child of a fork they begin anew.

#include <coproc/detail/callback_executor.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>

namespace coproc::detail {

/// The io_context of the reactor thread. Its handlers must not block; what they throw goes to the
/// log.
boost::asio::io_context& reactor();

/// Runs `start`, which starts a program and takes milliseconds, on the thread that there is for
/// that. It is the reactor's child, so what it starts inherits the CPU affinity of the reactor and
/// not that of whoever asks. If no such thread can be had, the reactor has to do it.
void launch_later(std::function<void()> start);

/// That of the thread that writes to the program's stdout and stderr, and may block there.
boost::asio::io_context& output_context();

/// Whether the calling thread is the reactor's.
bool on_reactor_thread() noexcept;

} // namespace coproc::detail
