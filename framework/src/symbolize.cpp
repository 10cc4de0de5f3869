// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Frames as text. Boost.Stacktrace names addresses of the own process; these are offsets in files
// that this process may not even have loaded, so the files are asked: addr2line, all frames of a
// file at once, and the symbol table where there is no addr2line or no debug information.

#include "elf_symbols.hpp"

#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/fork_mutex.hpp>
#include <coproc/detail/module_map.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

using lines = std::vector<std::string>; // innermost inlined function first

/// What a program prints; empty when it cannot be run or takes too long.
std::string output_of(const std::vector<std::string>& command) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const auto& word : command)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    std::vector<char*>
        environment; // without the variable that would make it ask servers on the network
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
        if (!std::string_view{*variable}.starts_with("DEBUGINFOD_URLS="))
            environment.push_back(*variable);
    environment.push_back(nullptr);

    ::posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const int failed =
        ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);

    std::string out;
    if (failed == 0) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            pollfd readable{pipe[0], POLLIN, 0};
            const int ready =
                left.count() > 0 ? ::poll(&readable, 1, static_cast<int>(left.count())) : 0;
            if (ready < 0 && errno == EINTR) continue;
            std::array<char, 4096> buffer;
            const ssize_t n = ready > 0 ? ::read(pipe[0], buffer.data(), buffer.size()) : 0;
            if (n < 0 && errno == EINTR) continue;
            if (ready <= 0) {
                ::kill(child, SIGKILL);
                out.clear();
            }
            if (n <= 0) break;
            out.append(buffer.data(), static_cast<std::size_t>(n));
        }
        while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    }
    ::close(pipe[0]);
    return out;
}

std::string hex(std::uint64_t value) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
    return text.data();
}

/// "f at /src/a.cpp:12", then " (inlined by) g at ..." for each function that it was inlined into.
std::map<std::uint64_t, lines> ask_addr2line(const std::string& file,
                                             const std::vector<std::uint64_t>& offsets) {
    std::vector<std::string> command{"addr2line", "-e", file, "-a", "-f", "-C", "-i", "-p"};
    for (const auto offset : offsets)
        command.push_back(hex(offset));
    std::map<std::uint64_t, lines> found;
    const std::string out = output_of(command);
    std::size_t next = 0;
    lines* current = nullptr;
    for (std::size_t at = 0; at < out.size();) {
        const std::size_t end = std::min(out.find('\n', at), out.size());
        std::string_view line{out.data() + at, end - at};
        at = end + 1;
        static constexpr std::string_view inlined = " (inlined by) ";
        if (line.starts_with(inlined)) {
            line.remove_prefix(inlined.size());
        } else if (line.starts_with("0x") && next != offsets.size()) {
            current = &found[offsets[next++]];
            const auto colon = line.find(": ");
            line.remove_prefix(colon == std::string_view::npos ? line.size() : colon + 2);
        } else {
            continue;
        }
        if (current == nullptr || line.starts_with("??")) continue;
        std::string text{line};
        if (const auto unknown = text.find(" at ??:"); unknown != std::string::npos)
            text.resize(unknown);
        text.resize(std::min(text.find(" (discriminator "), text.size()));
        current->push_back(std::move(text));
    }
    return found;
}

std::map<std::uint64_t, lines> read_names(const std::string& module,
                                          const std::vector<std::uint64_t>& offsets) {
    // The program's file may have been replaced or removed since it was started; this name still
    // leads to it.
    const std::string file =
        module.empty() ? "/proc/" + std::to_string(::getpid()) + "/exe" : module;
    auto found = ask_addr2line(file, offsets);
    if (std::ranges::all_of(offsets, [&](auto offset) { return !found[offset].empty(); }))
        return found;
    const elf_symbols symbols{file};
    for (const auto offset : offsets)
        if (found[offset].empty())
            if (auto name = symbols.function_at(offset); !name.empty())
                found[offset].push_back(std::move(name));
    return found;
}

/// What has been looked up: the same error comes a thousand times, and addr2line takes a tenth of a
/// second.
class known_names {
public:
    std::map<std::uint64_t, lines> look_up(const std::string& module,
                                           const std::vector<std::uint64_t>& offsets) {
        std::map<std::uint64_t, lines> found;
        std::vector<std::uint64_t> unknown;
        {
            const std::scoped_lock lock{mutex_};
            const auto& known = modules_[module];
            for (const auto offset : offsets)
                if (const auto at = known.find(offset); at != known.end())
                    found.insert(*at);
                else
                    unknown.push_back(offset);
        }
        if (unknown.empty()) return found;
        auto fresh = read_names(module, unknown);
        const std::scoped_lock lock{mutex_};
        if (count_ + fresh.size() > most) {
            modules_.clear();
            count_ = 0;
        }
        count_ += fresh.size();
        modules_[module].insert(fresh.begin(), fresh.end());
        found.merge(fresh);
        return found;
    }

private:
    static constexpr std::size_t most = 4096;
    fork_mutex mutex_;
    std::map<std::string, std::map<std::uint64_t, lines>> modules_;
    std::size_t count_ = 0;
};

known_names& known() {
    static auto& instance = *new known_names;
    return instance;
}

/// Below these everything is the library's and the C++ runtime's.
bool ends_the_task(std::string_view line) {
    static constexpr std::string_view own = "coproc::detail::";
    const auto at = line.find(own);
    if (at == line.npos) return false;
    line.remove_prefix(at + own.size());
    for (const std::string_view part :
         {"call_invoker<", "chunk_invoker<", "job_of<", "call_work<", "map_work<", "imap_work<",
          "function_job<", "object_job<", "function_target<", "object_target<"})
        if (line.starts_with(part)) return true;
    return false;
}

bool is_plumbing(std::string_view line) {
    for (const std::string_view part : {"std::__invoke", "std::invoke<", "std::apply<",
                                        "std::__apply_impl<", "coproc::detail::invoke_once<"})
        if (line.find(part) != line.npos && line.find(part) < line.find(" at ")) return true;
    return false;
}

/// A library of the system's, such as the one that abort() is in.
bool is_of_the_system(const std::string& module) {
    return module.starts_with("/lib") || module.starts_with("/usr/lib");
}

std::string file_name(const std::string& module) {
    if (module.empty()) {
        const std::string path = program_path();
        return path.substr(path.rfind('/') + 1);
    }
    return module.substr(module.rfind('/') + 1);
}

} // namespace

std::string symbolize(const std::vector<backtrace_frame>& frames) {
    std::map<std::string, std::vector<std::uint64_t>> by_module;
    for (const auto& frame : frames)
        by_module[frame.module].push_back(frame.offset);
    std::map<std::string, std::map<std::uint64_t, lines>> names;
    for (const auto& [module, offsets] : by_module)
        if (module != "?") names[module] = known().look_up(module, offsets);

    std::string text;
    std::size_t number = 0;
    const auto add = [&](const std::string& line) {
        text += '#' + std::to_string(number++) + ' ' + line + '\n';
    };
    bool users = false;
    for (const auto& frame : frames) {
        auto& found = names[frame.module][frame.offset];
        if (found.empty()) found.push_back(file_name(frame.module) + '+' + hex(frame.offset));
        for (const auto& line : found) {
            if (ends_the_task(line)) {
                // The optimiser has put the user's function into this one, which names it.
                if (!users) add(line);
                return text;
            }
            if (is_plumbing(line)) continue;
            add(line);
            users = users || !is_of_the_system(frame.module);
        }
    }
    return text;
}

} // namespace coproc::detail
