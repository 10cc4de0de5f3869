// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the benchmark programs share. Each prints lines `name value unit`, which the driver `run`
// reads; a line that starts with '#' is a remark for whoever reads the table.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <malloc.h>
#include <string>
#include <string_view>
#include <vector>

namespace measure {

inline std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// By then a thread that waits in epoll is asleep.
inline constexpr std::int64_t asleep_after_ns = 100'000;

/// For programs that measure small tasks by the hundred thousand. Whether the allocator gives the
/// memory of one round back to the system, and has the next one fault it in again, is a matter of
/// luck, and costs more than such a task.
inline void keep_freed_memory() { ::mallopt(M_TRIM_THRESHOLD, 1 << 30); }

/// Nanoseconds that `f` took.
template <class F>
double timed(F&& f) {
    const auto began = now_ns();
    f();
    return static_cast<double>(now_ns() - began);
}

inline double percentile(std::vector<double> samples, double p) {
    if (samples.empty()) return 0;
    std::ranges::sort(samples);
    const auto at = static_cast<std::size_t>(p * static_cast<double>(samples.size() - 1) + 0.5);
    return samples[std::min(at, samples.size() - 1)];
}

inline double median(std::vector<double> samples) { return percentile(std::move(samples), 0.5); }

/// The median of `rounds` measurements, after one that does not count.
template <class F>
double median_of(int rounds, F&& measurement) {
    static_cast<void>(measurement());
    std::vector<double> samples;
    for (int i = 0; i < rounds; ++i)
        samples.push_back(measurement());
    return median(std::move(samples));
}

inline void report(std::string_view name, double value, std::string_view unit) {
    std::printf("%.*s %.6g %.*s\n", static_cast<int>(name.size()), name.data(), value,
                static_cast<int>(unit.size()), unit.data());
    std::fflush(stdout);
}

inline void remark(std::string_view text) {
    std::printf("# %.*s\n", static_cast<int>(text.size()), text.data());
    std::fflush(stdout);
}

/// `--quick`: a tenth of the work, for a first impression. `--long`: also what takes minutes.
/// Anything else selects rows: those are measured whose names contain such a word, and what such a
/// word begins with.
struct arguments {
    bool quick = false;
    bool slow = false;
    std::vector<std::string> words;

    arguments(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            if (std::strcmp(argv[i], "--quick") == 0)
                quick = true;
            else if (std::strcmp(argv[i], "--long") == 0)
                slow = true;
            else
                words.emplace_back(argv[i]);
        }
    }
    [[nodiscard]] int count(int full) const { return quick ? std::max(1, full / 10) : full; }
    [[nodiscard]] bool wants(std::string_view part) const {
        return words.empty() || std::ranges::any_of(words, [&](const std::string& w) {
                   return part.find(w) != std::string_view::npos || w.find(part) == 0;
               });
    }
};

/// Work that no compiler can shorten: a chain of dependent multiplications.
inline std::uint64_t work(std::uint64_t seed, std::uint64_t steps) {
    std::uint64_t x = seed | 1;
    for (std::uint64_t i = 0; i < steps; ++i) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        asm volatile("" : "+r"(x));
    }
    return x;
}

} // namespace measure
