// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
// Threads against processes: the same work, run serially, on threads and on worker processes, and
// what happens when it goes wrong. What it teaches stands in contests.cpp (what is fast) and
// accidents.cpp (what is safe).

#include "accidents.hpp"
#include "contests.hpp"
#include "results.hpp"
#include "screen.hpp"

#include <coproc/cpu_count.hpp>
#include <coproc/runtime.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/resource.h>

namespace {

struct options {
    std::string json;
    bool quick = false;
};

constexpr std::string_view usage = "usage: threads_vs_processes [--quick] [--json FILE]\n"
                                   "  --quick      less of everything, for a first look\n"
                                   "  --json FILE  write the figures there too\n";

std::optional<options> parse(std::span<char*> arguments) {
    options chosen;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "--quick")
            chosen.quick = true;
        else if (argument == "--json" && i + 1 < arguments.size())
            chosen.json = arguments[++i];
        else
            return std::nullopt;
    }
    return chosen;
}

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

int answer() { return 42; }

// From nothing to the first result, and what an empty call costs from then on.
template <class Pool>
demo::overhead measure_overhead(const char* runner, unsigned workers) {
    const double start = now();
    Pool pool{workers};
    pool.apply(answer);
    const double started = now();
    constexpr int calls = 1000;
    for (int i = 0; i < calls; ++i)
        pool.apply(answer);
    return {runner, started - start, (now() - started) / calls};
}

void conclude(demo::screen& screen) {
    screen.heading("What to choose when");
    screen.row("serial", "for what is over in less time than a call takes; or give map many\n"
                         "small items: it hands them over in chunks.");
    screen.row("threads", "for code that you trust to come back, above all where it shares or\n"
                          "returns much data: nothing is copied. Not under a global lock.");
    screen.row("processes", "for code that may crash, hang or eat the memory; for libraries with\n"
                            "global state or a global lock; for computing of any kind.");
    screen.row("either", "change one word: coproc::pool, coproc::dummy::pool; or nothing at all:\n"
                         "COPROC_BACKEND=dummy.");
}

int run(const options& chosen) {
    std::ofstream json;
    if (!chosen.json.empty()) {
        json.open(chosen.json);
        if (!json) {
            std::cerr << "threads_vs_processes: cannot write " << chosen.json << '\n';
            return 2;
        }
    }

    demo::screen screen;
    demo::report report;
    report.cpus = report.workers = coproc::cpu_count();
    report.quick = chosen.quick;
    screen.title("coproc: the same work serially, on threads, on processes");
    screen.line("   " + std::to_string(report.cpus) + " CPUs, as many workers; a full bar is " +
                std::to_string(report.workers) + " times as fast as serial");

    if (double load = 0; report.cpus == 1)
        screen.line("   With one CPU nothing can be faster than serial.");
    else if (getloadavg(&load, 1) == 1 && load > 0.5 * report.cpus)
        screen.line("   Other programs use the CPUs too, about " +
                    std::to_string(std::lround(load)) +
                    " at a time: the figures suffer from that.");

    report.overheads = {measure_overhead<coproc::dummy::pool>("threads", report.workers),
                        measure_overhead<coproc::pool>("processes", report.workers)};
    screen.heading("0. What it costs",
                   "a pool, up to its first result; then an empty call, there and back");
    for (const demo::overhead& cost : report.overheads)
        screen.row(cost.runner, "pool " + demo::pretty(cost.start_seconds) + ", call " +
                                    demo::pretty(cost.call_seconds));

    coproc::dummy::pool threads{report.workers};
    coproc::pool processes{report.workers};
    const demo::pools pools{threads, processes};
    report.contests = {contest_of_primes(screen, pools, chosen.quick),
                       contest_of_identifiers(screen, pools, chosen.quick),
                       contest_of_interpreters(screen, pools, chosen.quick)};
    report.accidents = {accident_of_a_crash(screen, processes),
                        accident_without_end(screen, processes)};
    conclude(screen);

    if (json.is_open()) {
        demo::write_json(report, json);
        if (!json.flush()) {
            std::cerr << "threads_vs_processes: cannot write " << chosen.json << '\n';
            return 2;
        }
    }
    return std::ranges::all_of(report.contests, &demo::contest::same_answers) ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    // Some will crash here on purpose: they need leave no core files. Workers inherit this.
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);

    coproc::runtime runtime{argc, argv};
    const std::span arguments{argv, static_cast<std::size_t>(argc)};
    if (arguments.size() == 3 && arguments[1] == std::string_view{"--accident"})
        return demo::run_accident(arguments[2]);

    const auto chosen = parse(arguments);
    if (!chosen) {
        std::cerr << usage;
        return 2;
    }
    try {
        return run(*chosen);
    } catch (const std::exception& e) {
        std::cerr << "threads_vs_processes: " << e.what() << '\n';
        return 1;
    }
}
