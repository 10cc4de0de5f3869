// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The parent's side of a worker's first words, without any I/O of its own: it is fed with messages
// and with the worker's end, and says what to do.

#include <src/channel.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <sys/types.h>

namespace coproc {
class job;
}

namespace coproc::detail {

class handshake {
public:
    /// A worker that has not said hello by then is given up.
    static constexpr std::chrono::seconds hello_timeout{30};

    enum class state {
        starting,     ///< waiting for hello, at most hello_timeout
        initializing, ///< hello was right, setup was sent; the initializer may take as long as it
                      ///< likes
        ready,        ///< takes calls
        failed,       ///< error() says why; the worker is of no use
    };

    /// What to tell a user whose program does not enter coproc::runtime; begins with what was seen.
    static std::string missing_runtime_text(const std::string& seen);

    /// Whether a worker that says this hello runs the same build of the program.
    static bool is_this_build(incoming& hello);

    /// `initializer` may be null or empty; it must outlive the handshake.
    handshake(endpoint& channel, const job* initializer, std::string worker_name, pid_t pid);

    /// Takes one message from the worker (not pop()ped here). Not after ready or failed.
    state on_message(incoming& message);
    /// The worker ended before it was ready.
    state on_exit(int exit_code);
    /// hello_timeout has passed in state starting.
    state on_timeout();

    [[nodiscard]] state now() const noexcept { return state_; }
    /// bootstrap_error, or what the initializer threw.
    [[nodiscard]] std::exception_ptr error() const noexcept { return error_; }
    /// The initializer threw (error() is its exception).
    [[nodiscard]] bool initializer_failed() const noexcept { return initializer_failed_; }

private:
    state fail(const std::string& why);
    void send_setup();

    endpoint& channel_;
    const job* initializer_;
    std::string worker_name_;
    pid_t pid_;
    state state_ = state::starting;
    std::exception_ptr error_;
    bool initializer_failed_ = false;
};

} // namespace coproc::detail
