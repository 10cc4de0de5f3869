// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a worker does all day: it takes a call from the channel, makes it, and sends the reply. On
// the main thread, one call at a time. A process (coproc::process) is a worker that is given one
// function for all its life.

#include <src/channel.hpp>

#include <cstdint>

namespace coproc::detail {

class worker_loop {
public:
    explicit worker_loop(endpoint& channel) noexcept : channel_{channel} {}

    /// From hello until the parent lets the worker go; returns its exit code. Exceptions: only
    /// those after which the worker is of no use.
    int run();

private:
    void say_hello();
    /// False: the initializer failed, or the parent changed its mind.
    bool set_up(incoming& message);
    void serve(incoming& message);
    void tidy_up(std::uint64_t now_ns, bool large_reply) noexcept;

    endpoint& channel_;
    std::uint64_t last_large_ns_ = 0; // when a reply was sent that took memory of its own
};

} // namespace coproc::detail
