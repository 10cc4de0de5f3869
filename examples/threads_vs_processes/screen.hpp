// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the user sees: on a terminal with a progress line, elsewhere in plain lines.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace demo {

/// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t n);
/// In seconds, milliseconds or microseconds, whichever reads best.
std::string pretty(double seconds);

class screen {
public:
    screen();

    void title(std::string_view text);
    /// What the next rows are about.
    void heading(std::string_view text, std::string_view details = {});
    /// A runner's time; the bar is full when it was `workers` times as fast as the serial one.
    void bar(std::string_view runner, double seconds, double speedup, unsigned workers);
    /// What happened to a runner; lines of the text are aligned.
    void row(std::string_view runner, std::string_view text);
    void line(std::string_view text = {});

    /// Shown in place, until something else is printed; nothing where it could not be wiped out.
    void progress(std::string_view runner, std::size_t done, std::size_t total);

private:
    void wipe();
    [[nodiscard]] std::string filled(double part, std::size_t width) const;

    bool terminal_; // standard output is one, so a line can be written over
    bool unicode_;
    bool styles_;
    bool progress_shown_ = false;
    std::chrono::steady_clock::time_point next_progress_{};
};

} // namespace demo
