// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The library's own threads: one waits for the descriptors of all pools, one runs callbacks. Both start at first
// use and are never stopped: at exit they may be in the middle of anything, and nothing waits for them.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

namespace coproc::detail {

/// The io_context of the reactor thread, which all signals are blocked in. After a fork the child has a new one.
boost::asio::io_context& reactor();

/// Whether the calling thread is the reactor's.
bool on_reactor_thread() noexcept;

/// The executor of callback_executor.hpp.
boost::asio::any_io_executor default_callback_executor();

} // namespace coproc::detail
