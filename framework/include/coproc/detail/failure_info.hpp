// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where and how a task failed: what an exception carries besides its own type and text.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coproc::detail {

/// One frame as it travels: an offset in a module means the same in every process that maps that
/// file.
struct backtrace_frame {
    std::string module;
    std::uint64_t offset = 0;
};

struct backtrace_state;

/// A backtrace that becomes text when somebody asks for it. Copies share the frames and the text;
/// thread safe.
class backtrace_data {
public:
    backtrace_data() noexcept = default;
    /// Frames that are symbolised on the first call of text().
    explicit backtrace_data(std::vector<backtrace_frame> frames);
    /// Text that is ready, from a backend that symbolised elsewhere.
    explicit backtrace_data(std::string text);

    /// One line per frame; empty when there is no backtrace. The first call may take milliseconds
    /// per module.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] const std::vector<backtrace_frame>& frames() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return state_ == nullptr; }

private:
    std::shared_ptr<backtrace_state> state_;
};

struct failure_info {
    std::size_t index = 0; // of the item in its map; 0 for a single call
    pid_t worker_pid = 0;  // the own process for a thread backend
    std::string worker_name{};
    std::string label{};
    backtrace_data backtrace{};
};

} // namespace coproc::detail
