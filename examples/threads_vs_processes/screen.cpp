// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#include "screen.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace demo {

namespace {

constexpr int runner_width = 9; // "processes"

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

bool locale_is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        std::string value{environment(name)};
        if (value.empty()) continue;
        std::ranges::transform(value, value.begin(),
                               [](unsigned char c) { return std::tolower(c); });
        return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

template <class... Args>
std::string format(const char* how, Args... args) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), how, args...);
    return text.data();
}

} // namespace

std::string grouped(std::uint64_t n) {
    std::string text = std::to_string(n);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), 1, ',');
    return text;
}

std::string pretty(double seconds) {
    if (seconds >= 0.1) return format("%.2f s", seconds);
    if (seconds >= 1e-3) return format("%.1f ms", seconds * 1e3);
    return format("%.1f us", seconds * 1e6);
}

screen::screen()
    : terminal_{isatty(STDOUT_FILENO) == 1 && environment("TERM") != "dumb"},
      unicode_{locale_is_utf8()},
      styles_{terminal_ && environment("NO_COLOR").empty()} {}

void screen::title(std::string_view text) {
    wipe();
    if (styles_) print("\033[1m");
    print(text);
    if (styles_) print("\033[0m");
    print("\n");
    std::fflush(stdout);
}

void screen::heading(std::string_view text, std::string_view details) {
    line();
    title(text);
    if (!details.empty()) line(std::string{"   "}.append(details));
}

void screen::bar(std::string_view runner, double seconds, double speedup, unsigned workers) {
    constexpr std::size_t width = 32;
    const std::string time = pretty(seconds);
    std::string text =
        format("   %-*s %8s %7.2fx  ", runner_width, runner.data(), time.c_str(), speedup);
    text += filled(std::clamp(speedup / workers, 0.0, 1.0), width);
    line(text);
}

void screen::row(std::string_view runner, std::string_view text) {
    std::string name{runner};
    while (true) {
        const std::size_t end = text.find('\n');
        name.resize(runner_width, ' ');
        line("   " + name + "  " + std::string{text.substr(0, end)});
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
        name.clear();
    }
}

void screen::line(std::string_view text) {
    wipe();
    print(text);
    print("\n");
    std::fflush(stdout);
}

void screen::progress(std::string_view runner, std::size_t done, std::size_t total) {
    if (!terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_progress_) return;
    next_progress_ = now + std::chrono::milliseconds{50};
    const double part = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
    wipe();
    print(
        format("   %-*s %7.0f%%           ", runner_width, runner.data(), std::floor(100 * part)));
    print(filled(part, 32));
    std::fflush(stdout);
    progress_shown_ = true;
}

void screen::wipe() {
    if (progress_shown_) print("\r\033[K");
    progress_shown_ = false;
}

std::string screen::filled(double part, std::size_t width) const {
    const auto full = static_cast<std::size_t>(std::lround(part * static_cast<double>(width)));
    std::string text;
    for (std::size_t i = 0; i < width; ++i)
        text += i < full ? (unicode_ ? "█" : "#") : (unicode_ ? "░" : ".");
    return text;
}

} // namespace demo
