// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <os/cpus.hpp>

#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <sched.h>
#include <string>

namespace coproc::detail {

namespace os {
namespace {

std::optional<unsigned> take_number(std::string_view& text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

bool take(std::string_view& text, char what) {
    if (!text.starts_with(what)) return false;
    text.remove_prefix(1);
    return true;
}

std::vector<unsigned> read_cpu_list(const std::string& path) {
    std::string line;
    std::ifstream file{path};
    std::getline(file, line);
    return parse_cpu_list(line);
}

std::map<unsigned, unsigned> nodes_by_cpu() {
    const std::string directory = "/sys/devices/system/node/";
    std::map<unsigned, unsigned> node_of;
    for (const unsigned node : read_cpu_list(directory + "online"))
        for (const unsigned number :
             read_cpu_list(directory + "node" + std::to_string(node) + "/cpulist"))
            node_of[number] = node;
    return node_of;
}

/// Named by the first of its hardware threads: what the system calls core_id is not unique.
unsigned core_of(unsigned number) {
    const auto siblings = read_cpu_list("/sys/devices/system/cpu/cpu" + std::to_string(number) +
                                        "/topology/thread_siblings_list");
    return siblings.empty() ? number : siblings.front();
}

} // namespace

std::vector<unsigned> parse_cpu_list(std::string_view text) {
    std::vector<unsigned> numbers;
    do {
        const auto first = take_number(text);
        if (!first) break;
        const auto last = take(text, '-') ? take_number(text) : first;
        if (!last || *last >= cpu_set::most) break;
        for (unsigned number = *first; number <= *last; ++number)
            numbers.push_back(number);
    } while (take(text, ','));
    return numbers;
}

} // namespace os

std::vector<cpu> usable_cpus() {
    cpu_set usable;
    if (::sched_getaffinity(0, sizeof usable, reinterpret_cast<cpu_set_t*>(usable.data())) != 0)
        return {};
    const auto node_of = os::nodes_by_cpu();
    std::vector<cpu> cpus;
    for (unsigned number = 0; number != cpu_set::most; ++number) {
        if (!usable.contains(number)) continue;
        const auto node = node_of.find(number);
        cpus.push_back({number, os::core_of(number), node != node_of.end() ? node->second : 0});
    }
    return cpus;
}

bool bind_this_thread(const cpu_set& cpus) noexcept {
    return ::sched_setaffinity(0, sizeof cpus, reinterpret_cast<const cpu_set_t*>(cpus.data())) ==
           0;
}

} // namespace coproc::detail
