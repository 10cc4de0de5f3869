// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a worker does all day: it takes a call from the channel, makes it, and sends the reply. On
// the main thread, one call at a time.

#include <src/channel.hpp>

namespace coproc::detail {

class worker_loop {
public:
    explicit worker_loop(endpoint& channel) noexcept : channel_{channel} {}

    /// From hello until the parent lets the worker go. Exceptions: only those after which the
    /// worker is of no use.
    void run();

private:
    void say_hello();
    /// False: the initializer failed, or the parent changed its mind.
    bool set_up();
    void serve(incoming& message);

    endpoint& channel_;
};

} // namespace coproc::detail
