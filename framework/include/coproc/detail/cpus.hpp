// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the library knows of the machine's CPUs. The two functions are the system's side, and stand
// where its calls do.

#include <array>
#include <bit>
#include <climits>
#include <vector>

namespace coproc::detail {

/// CPUs by number, in the shape in which the system takes them.
class cpu_set {
public:
    static constexpr unsigned most = 4096;

    /// A number beyond `most` is left out.
    void add(unsigned number) noexcept {
        if (number < most) words_[number / bits] |= 1UL << number % bits;
    }
    [[nodiscard]] bool contains(unsigned number) const noexcept {
        return number < most && (words_[number / bits] >> number % bits & 1) != 0;
    }
    [[nodiscard]] unsigned count() const noexcept {
        unsigned n = 0;
        for (const unsigned long word : words_)
            n += static_cast<unsigned>(std::popcount(word));
        return n;
    }
    [[nodiscard]] bool empty() const noexcept { return count() == 0; }

    [[nodiscard]] unsigned long* data() noexcept { return words_.data(); }
    [[nodiscard]] const unsigned long* data() const noexcept { return words_.data(); }

    friend bool operator==(const cpu_set&, const cpu_set&) = default;

private:
    static constexpr unsigned bits = sizeof(unsigned long) * CHAR_BIT;
    std::array<unsigned long, most / bits> words_{};
};

/// A CPU, and what it shares with others.
struct cpu {
    unsigned number = 0;
    unsigned core = 0; ///< the same for the hardware threads of one core, and for no others
    unsigned node = 0; ///< of memory
};

/// Those that the calling thread may use, by number; empty if the system does not tell. Reads
/// files.
[[nodiscard]] std::vector<cpu> usable_cpus();

/// Binds the calling thread, and what it starts from now on. False: the system refuses (none of
/// them is there, or the cgroup has none of them), and nothing has changed.
bool bind_this_thread(const cpu_set& cpus) noexcept;

} // namespace coproc::detail
