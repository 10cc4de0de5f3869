// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The one message that a process gets: who it is, and what it is to run. The introduction is what a
// pool's worker is told, too.

#include <coproc/detail/identity.hpp>
#include <coproc/detail/process_job.hpp>
#include <coproc/detail/wire.hpp>
#include <coproc/process_options.hpp>
#include <src/channel.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace coproc::detail {

/// Who the receiver is, for current_process() and for the names of what it starts; and the start
/// method that was chosen here.
[[nodiscard]] std::vector<std::byte> encode_introduction(const process_identity& of);
/// Takes it to heart.
void accept_introduction(reader& in);

/// Of a pool's worker.
[[nodiscard]] process_identity identity_of_worker(const std::string& name);

class run_message {
public:
    /// Encodes all but the job, which is sized; it must live until the message is sent.
    run_message(const process_options& settings, const std::string& numbers,
                const process_job& job);
    void send(endpoint& channel) const;

private:
    std::vector<std::byte> introduction_;
    const process_job& job_;
    std::size_t job_bytes_;
};

/// In the process: runs what the message says; returns its exit code.
int run_process(endpoint& channel, incoming& message) noexcept;

} // namespace coproc::detail
