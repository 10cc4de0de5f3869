// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#include "contests.hpp"

#include "work.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

namespace demo {

namespace {

template <class Work>
double seconds(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// f(input) for all inputs: in a loop, on threads, on processes; several rounds, of which the best
// counts, for other programs run here too. `Total` collects the results in any order.
template <class Total, class Input, class F>
contest compete(screen& screen, pools pools, const char* name, const std::vector<Input>& inputs,
                F f, int rounds) {
    contest outcome{.name = name, .timings = {{"serial"}, {"threads"}, {"processes"}}};
    std::optional<Total> expected;
    const auto race = [&](timing& timing, auto&& run) {
        Total total;
        std::size_t done = 0;
        screen.progress(timing.runner, 0, inputs.size());
        const double time = seconds([&] {
            run([&](auto&& result) {
                total.add(std::forward<decltype(result)>(result));
                screen.progress(timing.runner, ++done, inputs.size());
            });
        });
        timing.seconds = timing.seconds == 0 ? time : std::min(timing.seconds, time);
        if (!expected)
            expected = std::move(total);
        else if (total != *expected)
            outcome.same_answers = false;
    };

    for (int round = 0; round < rounds; ++round) {
        race(outcome.timings[0], [&](auto&& add) {
            for (const Input& input : inputs)
                add(f(input));
        });
        race(outcome.timings[1], [&](auto&& add) {
            for (auto&& result : pools.threads.imap_unordered(f, inputs))
                add(std::move(result));
        });
        race(outcome.timings[2], [&](auto&& add) {
            for (auto&& result : pools.processes.imap_unordered(f, inputs))
                add(std::move(result));
        });
    }

    for (timing& timing : outcome.timings) {
        timing.speedup = outcome.timings.front().seconds / timing.seconds;
        screen.bar(timing.runner, timing.seconds, timing.speedup,
                   static_cast<unsigned>(pools.processes.workers()));
    }
    outcome.answer = expected->answer();
    screen.line("   " + outcome.answer + (outcome.same_answers ? "" : "  BUT THE ANSWERS DIFFER"));
    return outcome;
}

struct sum {
    std::uint64_t value = 0;
    void add(std::uint64_t more) { value += more; }
    bool operator==(const sum&) const = default;
};

struct sum_of_primes : sum {
    [[nodiscard]] std::string answer() const { return grouped(value) + " primes"; }
};

struct sum_of_steps : sum {
    [[nodiscard]] std::string answer() const { return grouped(value) + " steps interpreted"; }
};

struct dictionary {
    boost::unordered_flat_map<std::string, std::uint64_t> counts;

    void add(identifier_counts&& more) {
        for (auto& [name, count] : more)
            counts[std::move(name)] += count;
    }
    bool operator==(const dictionary&) const = default;

    [[nodiscard]] std::string answer() const {
        if (counts.empty()) return "no identifiers";
        const auto most = std::ranges::max_element(
            counts, {}, [](const auto& entry) { return std::pair{entry.second, entry.first}; });
        return grouped(counts.size()) + " identifiers; the most frequent is '" + most->first +
               "', " + grouped(most->second) + " times";
    }
};

} // namespace

contest contest_of_primes(screen& screen, pools pools, bool quick) {
    const std::uint32_t limit = quick ? 1'000'000 : 4'000'000;
    const std::uint32_t pieces = 200;
    screen.heading("1. Pure computing",
                   "primes below " + grouped(limit) + ", in " + std::to_string(pieces) + " pieces");
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    for (std::uint32_t from = 0; from < limit; from += limit / pieces)
        ranges.emplace_back(from, from + limit / pieces);
    return compete<sum_of_primes>(screen, pools, "primes", ranges, count_primes, quick ? 2 : 3);
}

contest contest_of_identifiers(screen& screen, pools pools, bool quick) {
    namespace fs = std::filesystem;
    const std::uintmax_t batch_bytes = quick ? 1'000'000 : 4'000'000;
    const std::uintmax_t most_bytes = quick ? 25'000'000 : 1'000'000'000;

    std::vector<std::vector<std::string>> batches(1);
    std::uintmax_t in_batch = 0;
    std::uintmax_t bytes = 0;
    std::size_t files = 0;
    std::error_code ignored; // what cannot be read is left out
    fs::recursive_directory_iterator at{"/usr/include",
                                        fs::directory_options::skip_permission_denied, ignored};
    for (; at != fs::recursive_directory_iterator{} && bytes < most_bytes; at.increment(ignored)) {
        if (!at->is_regular_file(ignored)) continue;
        const std::uintmax_t size = at->file_size(ignored);
        if (ignored) continue;
        if (in_batch > 0 && in_batch + size > batch_bytes) {
            batches.emplace_back();
            in_batch = 0;
        }
        batches.back().push_back(at->path().string());
        in_batch += size;
        bytes += size;
        ++files;
        if (files % 64 == 0) screen.progress("looking", 0, 0);
    }

    screen.heading("2. Files and strings", "identifiers in " + grouped(files) +
                                               " headers below /usr/include, " +
                                               std::to_string(bytes / 1'000'000) + " MB");
    // Once in vain, so that all find the files in memory.
    std::size_t warm = 0;
    for (const auto& batch : batches) {
        for (const std::string& file : batch)
            read_file(file);
        screen.progress("reading", ++warm, batches.size());
    }
    return compete<dictionary>(screen, pools, "identifiers", batches, count_identifiers, 2);
}

contest contest_of_interpreters(screen& screen, pools pools, bool quick) {
    const std::uint32_t pieces = quick ? 150 : 500;
    screen.heading("3. One global lock",
                   "an interpreter that one thread of a process can use at a time");
    std::vector<std::uint32_t> starts;
    for (std::uint32_t i = 0; i < pieces; ++i)
        starts.push_back(1'000'000 + 2000 * i);
    return compete<sum_of_steps>(screen, pools, "global_lock", starts, interpret, quick ? 2 : 3);
}

} // namespace demo
