// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Frames on their way out: what the transport does not take at once waits here.

#include <coproc/detail/known_cpu_count.hpp>

#include <deque>
#include <manager/hosted.hpp>
#include <manager/transport.hpp>

namespace coproc::detail {

class frame_sender {
public:
    void push(const frame_header& header, bytes_t payload, shared_fds descriptors = {}) {
        backlog_ += sizeof header + payload.size();
        waiting_.push_back({header, std::move(payload), std::move(descriptors), 0, false});
        waiting_.back().header.size = waiting_.back().payload.size();
        waiting_.back().header.descriptors =
            static_cast<std::uint32_t>(waiting_.back().descriptors.size());
    }
    /// False: the peer is gone.
    bool flush(transport& to);
    /// A request that waits here untouched will not be sent. The first frame is not untouched: TLS
    /// may have begun with it.
    bool withdraw(std::uint64_t id) noexcept;

    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    [[nodiscard]] std::size_t backlog() const noexcept { return backlog_; }

private:
    struct entry {
        frame_header header;
        bytes_t payload;
        shared_fds descriptors;
        std::size_t written = 0;       // of header and payload
        bool descriptors_sent = false; // or going with the first byte
    };
    static bool send_descriptors(transport& to, entry& next);

    std::deque<entry> waiting_;
    std::size_t backlog_ = 0;
};

/// How long to look for bytes before going to sleep: as long as it pays.
class spin_budget {
public:
    static constexpr std::uint64_t most_ns = 50'000;

    [[nodiscard]] std::uint64_t ns() const noexcept { return single_cpu() ? 0 : ns_; }
    void paid() noexcept { ns_ = most_ns; }
    void was_in_vain() noexcept { ns_ /= 4; }
    /// It slept for so long until there was something. Where waking up takes its time, on the other
    /// side as well, this does not tell whether looking longer would have paid: that is tried now
    /// and then. On a machine that has better things to do it does not, and costs the turn.
    void slept(std::uint64_t ns) noexcept {
        if (ns < most_ns / 4 || (ns < 4 * most_ns && ++short_sleeps_ % 16 == 0)) ns_ = most_ns;
    }

private:
    std::uint64_t ns_ = most_ns;
    unsigned short_sleeps_ = 0;
};

} // namespace coproc::detail
