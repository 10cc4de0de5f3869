// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#include "accidents.hpp"

#include "work.hpp"

#include <coproc/dummy/pool.hpp>
#include <coproc/error.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <ranges>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <utility>
#include <vector>

namespace demo {

namespace asio = boost::asio;
namespace process = boost::process::v2;
using namespace std::chrono_literals;
using seconds = std::chrono::duration<double>;

namespace {

constexpr int tasks = 12;
constexpr int bad_task = 5;
constexpr auto limit = 300ms;

double since(std::chrono::steady_clock::time_point start) {
    return seconds(std::chrono::steady_clock::now() - start).count();
}

// --- the other program ----------------------------------------------------------------------------

struct ending {
    std::string output;
    bool killed = false; // by us
    int signal = 0;      // that ended it
};

ending run_elsewhere(const std::string& which, std::chrono::seconds patience = 10s) {
    asio::io_context io;
    asio::readable_pipe output{io};
    const std::vector<std::string> arguments{"--accident", which};
    process::process child{io, std::filesystem::read_symlink("/proc/self/exe").string(), arguments,
                           process::process_stdio{nullptr, output, nullptr}};
    ending how;
    asio::steady_timer timer{io, patience};
    timer.async_wait([&](boost::system::error_code error) {
        if (error) return;
        how.killed = true;
        kill(child.id(), SIGKILL);
    });
    asio::async_read(output, asio::dynamic_buffer(how.output),
                     [&](boost::system::error_code, std::size_t) { timer.cancel(); });
    io.run();
    child.wait();
    if (const int status = child.native_exit_code(); WIFSIGNALED(status))
        how.signal = WTERMSIG(status);
    return how;
}

int results_in(const ending& how) { return static_cast<int>(std::ranges::count(how.output, '\n')); }

std::string count(int results) {
    return std::to_string(results) + " of " + std::to_string(tasks) + " results";
}

// --- a crash --------------------------------------------------------------------------------------

outcome crash_elsewhere(const char* runner, const char* which) {
    const ending how = run_elsewhere(which);
    const int results = results_in(how);
    const char* signal = how.signal != 0 ? sigabbrev_np(how.signal) : nullptr;
    std::string what = "the whole program is gone";
    if (signal) what.append(" (SIG").append(signal).append(")");
    return {.runner = runner,
            .program_survived = how.signal == 0,
            .results = results,
            .tasks = tasks,
            .what = what + ", after " + count(results)};
}

// The first line of the backtrace that names the function.
std::string place_in(const std::string& backtrace, std::string_view function) {
    for (const auto part : std::views::split(backtrace, '\n')) {
        const std::string_view line{part.begin(), part.end()};
        if (line.find(function) == std::string_view::npos) continue;
        std::string place{line};
        if (const auto slash = place.rfind('/'), at = place.rfind(" at /");
            slash != std::string::npos && at != std::string::npos)
            place.erase(at + 4, slash - at - 3); // the file's name will do
        return place;
    }
    return {};
}

outcome crash_in(coproc::pool& pool) {
    std::vector<coproc::async_result<int>> handles;
    for (int item = 0; item < tasks; ++item)
        handles.push_back(pool.apply_async(may_crash, item, item == bad_task));
    outcome result{.runner = "processes", .program_survived = true, .tasks = tasks};
    std::string lost;
    for (auto& handle : handles) {
        try {
            handle.get();
            ++result.results;
        } catch (const coproc::worker_lost_error& e) {
            lost += "\na worker_lost_error: process " + std::to_string(e.pid()) + ", " +
                    e.signal_name();
            if (const std::string place = place_in(e.backtrace(), "may_crash"); !place.empty())
                lost += "\n  " + place;
        }
    }
    result.what = count(result.results) + lost + "\nthe program goes on, with " +
                  std::to_string(pool.workers()) + " workers as before";
    return result;
}

// --- no end ---------------------------------------------------------------------------------------

outcome hang_elsewhere() {
    constexpr auto patience = 1s;
    const ending how = run_elsewhere("endless-serial", patience);
    return {.runner = "serial",
            .program_survived = !how.killed,
            .tasks = 1,
            .what = "nothing but the end of the program: killed after " +
                    pretty(seconds(patience).count())};
}

outcome endless_on_threads() {
    const ending how = run_elsewhere("endless-threads");
    return {.runner = "threads",
            .program_survived = !how.killed,
            .tasks = 1,
            .what = how.output + (how.killed ? "and the program could not end: it was killed"
                                             : "until the program itself has ended")};
}

bool ends_within(std::chrono::seconds patience, pid_t pid) {
    for (const auto start = std::chrono::steady_clock::now();
         since(start) < seconds(patience).count();) {
        if (kill(pid, 0) == -1) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

outcome endless_in(coproc::pool& pool) {
    outcome result{.runner = "processes", .program_survived = true, .tasks = 1};
    const auto start = std::chrono::steady_clock::now();
    try {
        pool.with({.timeout = limit}).apply(never_end);
    } catch (const coproc::timeout_error& e) {
        result.what = "the task itself is stopped: a timeout_error after " + pretty(since(start));
        if (const auto* where = dynamic_cast<const coproc::task_failure*>(&e))
            result.what += "\nprocess " + std::to_string(where->worker_pid()) +
                           (ends_within(2s, where->worker_pid()) ? " is gone" : " IS STILL THERE") +
                           ", another one has taken its place";
    }
    return result;
}

} // namespace

accident accident_of_a_crash(screen& screen, coproc::pool& processes) {
    screen.heading("4. A task that crashes: what survives?",
                   "one of " + std::to_string(tasks) + " tasks writes through a null pointer");
    accident all{.name = "crash"};
    const auto add = [&](outcome result) {
        screen.row(result.runner, result.what);
        all.outcomes.push_back(std::move(result));
    };
    add(crash_elsewhere("serial", "crash-serial"));
    add(crash_elsewhere("threads", "crash-threads"));
    add(crash_in(processes));
    return all;
}

accident accident_without_end(screen& screen, coproc::pool& processes) {
    screen.heading("5. A task that never ends: what stops it?",
                   "the limit is " + pretty(seconds(limit).count()));
    accident all{.name = "endless"};
    const auto add = [&](outcome result) {
        screen.row(result.runner, result.what);
        all.outcomes.push_back(std::move(result));
    };
    add(hang_elsewhere());
    add(endless_on_threads());
    add(endless_in(processes));
    return all;
}

int run_accident(std::string_view which) {
    if (which == "crash-serial") {
        for (int item = 0; item < tasks; ++item)
            std::cout << may_crash(item, item == bad_task) << std::endl;
    } else if (which == "crash-threads") {
        coproc::dummy::pool pool;
        std::vector<coproc::async_result<int>> handles;
        for (int item = 0; item < tasks; ++item)
            handles.push_back(pool.apply_async(may_crash, item, item == bad_task));
        for (auto& handle : handles)
            std::cout << handle.get() << std::endl;
    } else if (which == "endless-serial") {
        never_end();
    } else if (which == "endless-threads") {
        const auto start = std::chrono::steady_clock::now();
        coproc::dummy::pool pool{1};
        try {
            pool.with({.timeout = limit}).apply(never_end);
        } catch (const coproc::timeout_error&) {
            std::cout << "the caller has a timeout_error after " << pretty(since(start))
                      << ", but\n";
        }
        // Nobody works here any more, or do they?
        const auto later = std::chrono::steady_clock::now();
        const std::clock_t used = std::clock();
        std::this_thread::sleep_for(200ms);
        const double cpu = static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC;
        std::cout << "the task runs on, and takes " << std::lround(100 * cpu / since(later))
                  << " % of a CPU,\n"
                  << std::flush;
    }
    return 0;
}

} // namespace demo
