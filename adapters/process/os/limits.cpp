// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/limits.hpp>

#include <coproc/cpu_count.hpp>
#include <os/memfd.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>

namespace coproc::detail::os {
namespace {

unsigned cpus_by_affinity() {
    for (int cpus = 1024; cpus <= 1024 * 1024;
         cpus *= 4) { // the kernel refuses a set smaller than its own
        cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(cpus));
        if (set == nullptr) break;
        const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
        const int result = ::sched_getaffinity(0, size, set);
        const int error = errno;
        const int count = result == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (result == 0) return static_cast<unsigned>(std::max(count, 1));
        if (error != EINVAL) break;
    }
    return std::max(std::thread::hardware_concurrency(), 1u);
}

std::optional<double> quota_v2(const std::string& directory) {
    std::ifstream file{directory + "/cpu.max"};
    std::string quota;
    double period = 0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
    return std::strtod(quota.c_str(), nullptr) / period;
}

std::optional<double> quota_v1(const std::string& directory) {
    std::ifstream quota_file{directory + "/cpu.cfs_quota_us"};
    std::ifstream period_file{directory + "/cpu.cfs_period_us"};
    double quota = 0;
    double period = 0;
    if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0)
        return std::nullopt;
    return quota / period;
}

/// The smallest quota from the process's group up to the root: each of them holds.
template <class Quota>
void cap(std::optional<double>& cpus, const std::string& mount, std::string path,
         Quota&& quota_of) {
    for (;;) {
        if (const auto quota = quota_of(mount + path); quota && (!cpus || *quota < *cpus))
            cpus = quota;
        if (path.empty() || path == "/") return;
        path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
}

std::optional<double> cpus_by_cgroup() {
    std::optional<double> cpus;
    std::ifstream groups{"/proc/self/cgroup"};
    for (std::string line; std::getline(groups, line);) {
        // number:controllers:path
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string path = line.substr(second + 1);
        if (controllers.empty()) {
            cap(cpus, "/sys/fs/cgroup", path, quota_v2);
            cap(cpus, "/sys/fs/cgroup/unified", path, quota_v2);
        } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
            cap(cpus, "/sys/fs/cgroup/cpu", path, quota_v1);
            cap(cpus, "/sys/fs/cgroup/" + controllers, path, quota_v1);
        }
    }
    return cpus;
}

} // namespace

unsigned cpu_count() {
    unsigned cpus = cpus_by_affinity();
    if (const auto quota = cpus_by_cgroup(); quota && *quota < cpus)
        cpus = static_cast<unsigned>(*quota) + (*quota > static_cast<unsigned>(*quota) ? 1u : 0u);
    return std::max(cpus, 1u);
}

std::size_t resident_bytes(pid_t pid) noexcept {
    char path[32] = "/proc/self/statm";
    if (pid != 0) std::snprintf(path, sizeof path, "/proc/%d/statm", static_cast<int>(pid));
    std::FILE* const file = std::fopen(path, "re");
    if (file == nullptr) return 0;
    unsigned long long size = 0;
    unsigned long long resident = 0;
    const int read = std::fscanf(file, "%llu %llu", &size, &resident);
    std::fclose(file);
    return read == 2 ? static_cast<std::size_t>(resident) * page_size() : 0;
}

std::uint64_t available_memory() {
    std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
    std::ifstream memory{"/proc/meminfo"};
    for (std::string name; memory >> name; memory.ignore(std::numeric_limits<int>::max(), '\n')) {
        if (name != "MemAvailable:") continue;
        std::uint64_t kilobytes = 0;
        if (memory >> kilobytes) available = kilobytes * 1024;
        break;
    }
    std::ifstream groups{"/proc/self/cgroup"};
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::")) continue;
        const std::string group = "/sys/fs/cgroup" + line.substr(3);
        std::uint64_t most = 0;
        std::uint64_t now = 0;
        if (std::ifstream{group + "/memory.max"} >> most &&
            std::ifstream{group + "/memory.current"} >> now)
            available = std::min(available, most - std::min(most, now));
    }
    return available;
}

} // namespace coproc::detail::os

namespace coproc {

unsigned cpu_count() { return detail::os::cpu_count(); }

} // namespace coproc
