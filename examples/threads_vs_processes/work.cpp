// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#include "work.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string_view>
#include <thread>

namespace demo {

namespace {

bool is_prime(std::uint32_t n) {
    if (n < 4) return n > 1;
    if (n % 2 == 0) return false;
    for (std::uint32_t d = 3; d * d <= n; d += 2)
        if (n % d == 0) return false;
    return true;
}

// What a byte may be in an identifier.
enum class character : unsigned char { other, letter, digit };

constexpr std::array<character, 256> characters = [] {
    std::array<character, 256> table{};
    for (unsigned c = 'a'; c <= 'z'; ++c)
        table[c] = table[c - 'a' + 'A'] = character::letter;
    for (unsigned c = '0'; c <= '9'; ++c)
        table[c] = character::digit;
    table['_'] = character::letter;
    return table;
}();

character kind(char c) { return characters[static_cast<unsigned char>(c)]; }

// --- the interpreter ------------------------------------------------------------------------------

std::mutex interpreter_lock; // one per process: threads share it, processes do not

enum class op : unsigned char { halve_or_grow, count, jump_unless_one, halt };
constexpr std::array program{op::halve_or_grow, op::count, op::jump_unless_one, op::halt};

} // namespace

std::string read_file(const std::string& file) {
    std::ifstream in{file, std::ios::binary | std::ios::ate};
    const auto size = in ? static_cast<std::streamoff>(in.tellg()) : 0;
    std::string text(size > 0 ? static_cast<std::size_t>(size) : 0, '\0');
    in.seekg(0);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

std::uint64_t count_primes(std::pair<std::uint32_t, std::uint32_t> range) {
    std::uint64_t primes = 0;
    for (std::uint32_t n = range.first; n < range.second; ++n)
        primes += is_prime(n);
    return primes;
}

identifier_counts count_identifiers(const std::vector<std::string>& files) {
    std::vector<std::string> texts; // the names in the map are views of these
    texts.reserve(files.size());
    boost::unordered_flat_map<std::string_view, std::uint32_t> counts;
    for (const std::string& file : files) {
        const std::string& text = texts.emplace_back(read_file(file));
        const char* at = text.data();
        const char* const end = at + text.size();
        while (at != end) {
            const char* const from = at;
            const character first = kind(*at++);
            if (first == character::other) continue;
            while (at != end && kind(*at) != character::other)
                ++at;
            if (first == character::letter) ++counts[{from, at}]; // else a number
        }
    }
    return {counts.begin(), counts.end()};
}

std::uint64_t interpret(std::uint32_t start) {
    // The steps of the Collatz sequences of 2000 numbers. Now and then the lock is given up and
    // taken again, as interpreters do, so that others come to their turn.
    std::uint64_t steps = 0;
    std::unique_lock lock{interpreter_lock};
    for (std::uint32_t n = start; n < start + 2000; ++n) {
        if (n % 500 == 0) {
            lock.unlock();
            lock.lock();
        }
        std::uint64_t x = n;
        for (std::size_t at = 0; program[at] != op::halt;) {
            switch (program[at]) {
            case op::halve_or_grow:
                x = x % 2 == 0 ? x / 2 : 3 * x + 1;
                ++at;
                break;
            case op::count:
                ++steps;
                ++at;
                break;
            case op::jump_unless_one:
                at = x == 1 ? at + 1 : 0;
                break;
            case op::halt:
                break;
            }
        }
    }
    return steps;
}

namespace {
int* volatile nowhere = nullptr;
}

int may_crash(int item, bool crash) {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    if (crash) *nowhere = item;
    return item;
}

void never_end() {
    for (volatile unsigned turns = 0;;)
        turns = turns + 1;
}

} // namespace demo
