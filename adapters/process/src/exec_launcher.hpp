// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Starts this program once more, as a worker or as the forkserver. The child shares the parent's
// memory until it execs, so the cost does not grow with the parent; and should exec fail, it leaves
// by _exit and says why.

#include <src/channel.hpp>
#include <src/handover.hpp>

#include <boost/process/v2/process.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coproc::detail {

/// Everything the child needs, prepared beforehand: it may not allocate.
struct exec_plan {
    const char* path = nullptr;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    std::array<int, 4> inherited{-1, -1, -1, -1}; // nothing else but stdio stays open
    std::array<int, 2> output{-1, -1};            // become stdout and stderr; -1: the program's own
    char* pid_slot = nullptr;                     // the child writes its pid here, in decimal
    std::int32_t* error = nullptr; // in memory that both share even if the system really forks
};

/// The child's pid; throws std::system_error if there is no child.
pid_t start(const exec_plan& plan);

/// Kills and reaps a child that was started just now.
void end(pid_t child) noexcept;

/// A launcher in the sense of Boost.Process v2, with what a worker needs built in; takes no
/// initialisers.
class exec_launcher {
public:
    exec_launcher(role as, channel_numbers parent, int child_socket, int own_pidfd,
                  const std::string& name, unsigned omp_threads, std::int32_t* error);

    /// What the child gets in place of the program's stdout and stderr.
    void redirect(int out, int err) noexcept { plan_.output = {out, err}; }

    template <class Executor, class Args>
    auto operator()(Executor executor, boost::process::v2::error_code& ec,
                    const boost::process::v2::filesystem::path& executable, Args&& args)
        -> boost::process::v2::basic_process<Executor> {
        std::vector<char*> argv;
        argv.reserve(args.size() + 1);
        for (auto&& argument : args)
            argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        plan_.path = executable.c_str();
        plan_.arguments = argv.data();
        pid_t pid = 0;
        try {
            pid = start(plan_);
            return boost::process::v2::basic_process<Executor>{executor, pid};
        } catch (const std::system_error& e) {
            ec.assign(e.code().value(), boost::system::system_category());
        } catch (const boost::system::system_error& e) { // in some versions of Boost the same type
            ec = e.code();
        }
        if (pid != 0) end(pid); // running, but nobody would know it
        return boost::process::v2::basic_process<Executor>{executor};
    }

    template <class Executor, class Args>
    auto operator()(Executor executor, const boost::process::v2::filesystem::path& executable,
                    Args&& args) -> boost::process::v2::basic_process<Executor> {
        boost::process::v2::error_code ec;
        auto process = (*this)(std::move(executor), ec, executable, std::forward<Args>(args));
        if (ec)
            throw std::system_error{ec.value(), std::system_category(),
                                    "coproc: cannot start a process"};
        return process;
    }

private:
    std::string handover_;
    std::string omp_;
    std::vector<char*> environment_;
    exec_plan plan_;
};

/// The same inode that runs here, even if the file was replaced since.
inline constexpr const char* own_executable = "/proc/self/exe";

/// What ps shows: the program's name and the process's.
std::string process_title(const std::string& name);

} // namespace coproc::detail
