// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a pool costs while nothing happens: memory per queued task and per idle worker, CPU time and
// wake-ups of an idle pool.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

int increment(int x) { return x + 1; }
void sleep_for_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds{ms}); }

double allocated_bytes() {
    const auto info = ::mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
}

/// Allocator's overhead included, the handle that the caller keeps not.
void per_queued_task(const measure::arguments& arguments) {
    const auto tasks = static_cast<std::size_t>(arguments.count(200'000));
    coproc::pool pool{1};
    std::vector<coproc::async_result<int>> results;
    results.reserve(tasks);
    pool.apply(increment, 1);
    auto busy = pool.apply_async(sleep_for_ms, 60'000);
    std::this_thread::sleep_for(20ms);
    const double before = allocated_bytes();
    for (std::size_t i = 0; i < tasks; ++i)
        results.push_back(pool.apply_async(increment, static_cast<int>(i)));
    measure::report("process.bytes_per_queued_task",
                    (allocated_bytes() - before) / static_cast<double>(tasks) - sizeof(int),
                    "bytes");
    pool.terminate();
    try {
        busy.get();
    } catch (const coproc::cancelled_error&) {}
    for (auto& r : results) {
        try {
            r.get();
        } catch (const coproc::cancelled_error&) {}
    }
}

double private_kib(pid_t pid) {
    std::ifstream rollup{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
    double sum = 0;
    for (std::string line; std::getline(rollup, line);) {
        std::istringstream words{line};
        std::string name;
        double kib = 0;
        words >> name >> kib;
        if (name == "Private_Clean:" || name == "Private_Dirty:") sum += kib;
    }
    return sum;
}

void per_idle_worker() {
    for (const std::string method : {"spawn", "forkserver"}) {
        coproc::pool pool{{.workers = 1,
                           .start = method == "spawn" ? coproc::start_method::spawn
                                                      : coproc::start_method::forkserver}};
        const pid_t pid = pool.apply(::getpid);
        std::this_thread::sleep_for(50ms);
        measure::report("process.private_memory_per_worker." + method, private_kib(pid) / 1024,
                        "MB");
    }
}

struct activity {
    double cpu_ns = 0;
    double switches = 0;
};

/// Of all threads but the calling program's main one, which is the one that measures.
activity activity_of(pid_t pid) {
    activity sum;
    for (const auto& thread : fs::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
        if (thread.path().filename() == std::to_string(::getpid())) continue;
        double ran = 0;
        std::ifstream{thread.path() / "schedstat"} >> ran;
        sum.cpu_ns += ran;
        std::ifstream status{thread.path() / "status"};
        for (std::string line; std::getline(status, line);)
            if (line.find("ctxt_switches:") != std::string::npos)
                sum.switches += std::stod(line.substr(line.find(':') + 1));
    }
    return sum;
}

void idle() {
    coproc::pool pool{2};
    std::vector<pid_t> everyone{::getpid()};
    auto first = pool.apply_async(::getpid);
    auto second = pool.apply_async(::getpid);
    everyone.push_back(first.get());
    everyone.push_back(second.get());
    if (everyone[1] == everyone[2]) everyone.pop_back();
    pool.map(increment, std::vector<int>(1000));
    std::this_thread::sleep_for(2500ms); // the last cleaning up is done
    const auto look = [&] {
        activity sum;
        for (const auto pid : everyone) {
            const auto one = activity_of(pid);
            sum.cpu_ns += one.cpu_ns;
            sum.switches += one.switches;
        }
        return sum;
    };
    const auto before = look();
    std::this_thread::sleep_for(2s);
    const auto after = look();
    measure::report("process.idle_cpu", (after.cpu_ns - before.cpu_ns) / 2 / 1e3, "us/s");
    measure::report("process.idle_wakeups", (after.switches - before.switches) / 2, "1/s");
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    if (arguments.wants("process.bytes_per_queued_task")) per_queued_task(arguments);
    if (arguments.wants("process.private_memory_per_worker")) per_idle_worker();
    if (arguments.wants("process.idle")) idle();
}
