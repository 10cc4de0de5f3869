// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the fault tests of pools have in common: counters that all processes see, ways to die,
// programs to start, and looks at what the system has of a process.

#include "pools.hpp"
#include "support/sanitized.hpp"

#include <coproc/coproc.hpp>
#include <src/worker_process.hpp>

#include <array>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system_error>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace coproc_test {

/// Counters in memory that the test and all its tasks share, wherever they run; nothing of it
/// outlives the test.
class board {
public:
    static constexpr std::size_t size = 1 << 16;
    using cell = std::atomic<std::int64_t>;

    board() = default; // for the decoder
    static board make() {
        board b;
        const int fd = ::memfd_create("coproc-test-board", MFD_CLOEXEC);
        if (fd < 0 || ::ftruncate(fd, size * sizeof(cell)) != 0)
            throw std::system_error{errno, std::generic_category()};
        b.file_ = std::shared_ptr<int>{new int{fd}, [](const int* f) {
                                           ::close(*f);
                                           delete f;
                                       }};
        b.path_ = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
        static_cast<void>(b.cells()); // now: copies may be used by many threads
        return b;
    }

    cell& operator[](std::size_t i) const { return cells()[i]; }
    [[nodiscard]] std::int64_t sum(std::size_t first, std::size_t count) const {
        std::int64_t all = 0;
        for (std::size_t i = first; i < first + count; ++i)
            all += (*this)[i].load();
        return all;
    }
    auto members() { return std::tie(path_); }

private:
    cell* cells() const {
        if (!mapped_) {
            const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
            if (fd < 0) throw std::system_error{errno, std::generic_category(), path_};
            void* at =
                ::mmap(nullptr, size * sizeof(cell), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            ::close(fd);
            if (at == MAP_FAILED) throw std::system_error{errno, std::generic_category()};
            mapped_ = std::shared_ptr<cell>{static_cast<cell*>(at),
                                            [](cell* c) { ::munmap(c, size * sizeof(cell)); }};
        }
        return mapped_.get();
    }

    std::string path_;
    std::shared_ptr<int> file_;
    mutable std::shared_ptr<cell> mapped_;
};

/// For tasks: holds on until cell `i` is not zero, or the task is asked to stop.
inline void await_cell(const board& b, std::size_t i) {
    const auto stop = coproc::this_task::stop_token();
    while (b[i].load() == 0 && !stop.stop_requested())
        ::usleep(200);
}

/// For tasks: never ends, but for threads that are asked to.
inline void never_end(const board& b, std::size_t i) {
    ++b[i];
    const auto stop = coproc::this_task::stop_token();
    while (!stop.stop_requested())
        ::usleep(200);
}

// --- ways to die --------------------------------------------------------------------------------------------------

enum class way { error, exit_0, exit_3, abort, segv, kill };
inline constexpr std::array all_ways{way::error, way::exit_0, way::exit_3,
                                     way::abort, way::segv,   way::kill};

inline const char* name_of(way how) {
    constexpr std::array names{"error", "exit(0)", "exit(3)", "abort", "SIGSEGV", "SIGKILL"};
    return names[static_cast<std::size_t>(how)];
}

inline void perish(way how) {
    switch (how) {
    case way::error:
        throw std::out_of_range{"perished"};
    case way::exit_0:
        std::exit(0);
    case way::exit_3:
        std::exit(3);
    case way::abort:
        std::abort();
    case way::segv:
        std::raise(SIGSEGV);
        break;
    case way::kill:
        ::kill(::getpid(), SIGKILL);
        break;
    }
    for (;;)
        ::pause();
}

/// What the parent must see of it: the way's own exception, or the loss of the worker.
inline std::string check_death(const std::exception_ptr& error, way how) {
    try {
        std::rethrow_exception(error);
    } catch (const coproc::worker_lost_error& lost) {
        const int code = lost.exit_code();
        const auto expect = [&](int wanted) {
            return code == wanted ? std::string{} : "exit code " + std::to_string(code);
        };
        switch (how) {
        case way::error:
            return std::string{"a worker was lost: "} + lost.what();
        // The sanitizers have exit codes of their own, for what they find in a fork's copy.
        case way::exit_0:
            return sanitized && code > 0 ? std::string{} : expect(0);
        case way::exit_3:
            return sanitized && code > 0 ? std::string{} : expect(3);
        case way::abort:
            return expect(-SIGABRT);
        case way::segv:
            return sanitized && code != 0 ? std::string{}
                                          : expect(-SIGSEGV); // they report it and exit
        case way::kill:
            return expect(-SIGKILL);
        }
        return "?";
    } catch (const std::out_of_range& e) {
        if (how == way::error &&
            std::string_view{e.what()}.find("perished") != std::string_view::npos)
            return {};
        return std::string{"out_of_range: "} + e.what();
    } catch (const std::exception& e) {
        return std::string{"something else: "} + e.what();
    }
}

template <class F>
std::exception_ptr failure_of(F&& f) {
    try {
        std::forward<F>(f)();
    } catch (...) {
        return std::current_exception();
    }
    return {};
}

/// Waits for the error of a task; a result that does not come is an error of its own.
template <class R>
std::exception_ptr failure_of(coproc::async_result<R>& h) {
    return failure_of([&] { h.get(patience); });
}

inline std::string text_of(const std::exception_ptr& error) {
    if (!error) return "(no error)";
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "(not a std::exception)";
    }
}

template <class E>
bool is(const std::exception_ptr& error) {
    if (!error) return false;
    try {
        std::rethrow_exception(error);
    } catch (const E&) {
        return true;
    } catch (...) {
        return false;
    }
}

// --- what a pool must still be able to do ---------------------------------------------------------------------------

inline int twice(int x) { return 2 * x; }
inline int own_pid() { return ::getpid(); }

/// Empty if the pool is at full strength and works.
inline std::string ailment(coproc::pool& pool, int rounds = 20) {
    std::vector<coproc::async_result<int>> handles;
    for (int i = 0; i < rounds; ++i)
        handles.push_back(pool.apply_async(&twice, i));
    for (int i = 0; i < rounds; ++i) {
        try {
            if (handles[static_cast<std::size_t>(i)].get(patience) != 2 * i)
                return "a wrong result";
        } catch (const std::exception& e) {
            return e.what();
        }
    }
    if (!eventually([&] { return pool.stats().workers == pool.workers(); }))
        return "workers are missing";
    return {};
}

/// The end of a pool, with a deadline.
inline bool ends(coproc::pool& pool) {
    pool.close();
    return pool.join(patience);
}

// --- what the system has --------------------------------------------------------------------------------------------

/// Gone, or a zombie that only its parent can still see.
inline bool is_gone(pid_t pid) {
    std::ifstream stat{"/proc/" + std::to_string(pid) + "/stat"};
    std::string line;
    if (!std::getline(stat, line)) return true;
    const auto at = line.rfind(')');
    return at != std::string::npos && at + 2 < line.size() &&
           (line[at + 2] == 'Z' || line[at + 2] == 'X');
}

/// The descriptors of a process, by what they are.
inline std::vector<std::string> descriptors_of(const std::string& pid = "self") {
    std::vector<std::string> all;
    std::error_code ec;
    const std::filesystem::path directory = "/proc/" + pid + "/fd";
    for (std::filesystem::directory_iterator at{directory, ec}, end; !ec && at != end;
         at.increment(ec)) {
        const auto target = std::filesystem::read_symlink(at->path(), ec);
        if (ec) continue;
        if (target.string().ends_with("/fd")) continue; // the one that reads this directory
        all.push_back(at->path().filename().string() + " -> " + target.string());
    }
    return all;
}

inline std::size_t descriptor_count() { return descriptors_of().size(); }

/// The children of this process, zombies too.
inline std::vector<pid_t> children() {
    std::vector<pid_t> all;
    std::error_code ec;
    for (std::filesystem::directory_iterator at{"/proc/self/task", ec}, end; !ec && at != end;
         at.increment(ec)) {
        std::ifstream list{at->path() / "children"};
        for (pid_t pid = 0; list >> pid;)
            all.push_back(pid);
    }
    return all;
}

// --- programs -------------------------------------------------------------------------------------------------------

/// A program of tests/programs, or another, with its output in a pipe. Destroyed: killed.
class program {
public:
    explicit program(const std::string& name, std::vector<std::string> arguments = {},
                     bool with_errors = true) {
        const std::string path = name.find('/') != std::string::npos
                                     ? name
                                     : std::string{COPROC_TEST_BINARY_DIR} + "/" + name;
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error{errno, std::generic_category()};
        out_ = ends[0];
        std::vector<char*> argv;
        arguments.insert(arguments.begin(), path);
        for (auto& a : arguments)
            argv.push_back(a.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (with_errors) ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
        const int failed =
            ::posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        if (failed != 0) {
            ::close(out_);
            throw std::system_error{failed, std::generic_category(), path};
        }
    }
    program(const program&) = delete;
    program& operator=(const program&) = delete;
    ~program() {
        kill();
        static_cast<void>(wait());
        ::close(out_);
    }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void kill(int signal = SIGKILL) const noexcept {
        if (!status_) ::kill(pid_, signal);
    }

    /// The next line of its output; empty at the end, and after too long a wait.
    std::string line() {
        const auto until = std::chrono::steady_clock::now() + patience;
        for (;;) {
            if (const auto at = buffer_.find('\n'); at != std::string::npos) {
                auto found = buffer_.substr(0, at);
                buffer_.erase(0, at + 1);
                return found;
            }
            if (!read_more(until)) return std::exchange(buffer_, {});
        }
    }
    /// All that is still to come: until everybody who has the pipe has ended.
    std::string rest() {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (read_more(until)) {}
        return std::exchange(buffer_, {});
    }

    /// How it ended: its exit code, or minus the signal; empty after too long a wait.
    std::optional<int> wait() {
        if (status_) return status_;
        int status = 0;
        if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return {};
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return status_;
    }

private:
    bool read_more(std::chrono::steady_clock::time_point until) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd entry{out_, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0)
            return false;
        char chunk[4096];
        const auto n = ::read(out_, chunk, sizeof chunk);
        if (n <= 0) return false;
        buffer_.append(chunk, static_cast<std::size_t>(n));
        return true;
    }

    pid_t pid_ = 0;
    int out_ = -1;
    std::string buffer_;
    std::optional<int> status_;
};

} // namespace coproc_test
