// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// When the parent goes, everything of it goes; and workers have nothing of the parent but what is
// theirs.

#include "pool_faults.hpp"

#include <set>
#include <sys/stat.h>

using namespace coproc_test;

namespace {

/// Starts the program and reads the pids its workers say, until there are so many.
std::vector<pid_t> pids_of(program& p, std::size_t wanted) {
    std::set<pid_t> all;
    while (all.size() < wanted) {
        const auto line = p.line();
        if (line.empty()) break;
        if (line.starts_with("pid ")) all.insert(std::stoi(line.substr(4)));
    }
    REQUIRE(all.size() == wanted);
    return {all.begin(), all.end()};
}

std::string all_gone(const std::vector<pid_t>& pids) {
    for (const pid_t pid : pids)
        if (!eventually([&] { return is_gone(pid); }))
            return "process " + std::to_string(pid) + " is still there";
    return {};
}

/// What this library has left where names outlive processes.
std::set<std::string> left_in_shm() {
    std::set<std::string> all;
    std::error_code ec;
    for (std::filesystem::directory_iterator at{"/dev/shm", ec}, end; !ec && at != end;
         at.increment(ec))
        all.insert(at->path().filename().string());
    return all;
}

} // namespace

TEST_CASE("a parent that is killed takes its workers along, busy, idle or in a nested pool") {
    const auto method = GENERATE(as<std::string>{}, "spawn", "forkserver", "fork");
    CAPTURE(method);
    const auto shm = left_in_shm();
    for (const auto& [mode, count] :
         {std::pair{"busy", 2U}, {"idle", 2U}, {"nested", 6U}, {"large", 2U}}) {
        CAPTURE(mode);
        program parent{"parent", {mode, method}};
        const auto pids = pids_of(parent, count);
        for (const pid_t pid : pids)
            REQUIRE(!is_gone(pid));
        parent.kill();
        CHECK(all_gone(pids) == "");
        CHECK(parent.wait() == -SIGKILL);
        parent.rest(); // comes to its end only if nobody is left that has the pipe
    }
    for (const auto& name : left_in_shm())
        if (!shm.contains(name)) CHECK_THAT(name, !ContainsSubstring("coproc"));
}

TEST_CASE("a parent that ends by a signal it could have handled takes its workers along") {
    for (const int signal : {SIGTERM, SIGINT, SIGSEGV}) {
        CAPTURE(signal);
        program parent{"parent", {"busy", "spawn"}};
        const auto pids = pids_of(parent, 2);
        parent.kill(signal);
        CHECK(all_gone(pids) == "");
        CHECK(parent.wait().value_or(0) != 0);
    }
}

TEST_CASE("a worker that is killed takes the workers of its nested pool along") {
    coproc::pool pool{on("process", 1)};
    const auto b = board::make();
    auto outer = pool.apply_async(
        [](board c) {
            c[0] = ::getpid();
            coproc::pool inner{1};
            inner.apply(
                [](board d) {
                    d[1] = ::getpid();
                    never_end(d, 2);
                },
                c);
        },
        b);
    REQUIRE(eventually([&] { return b[2].load() == 1; }));
    ::kill(static_cast<pid_t>(b[0].load()), SIGKILL);
    CHECK(is<coproc::worker_lost_error>(failure_of(outer)));
    CHECK(all_gone({static_cast<pid_t>(b[1].load())}) == "");
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a worker's descriptors are its own, whatever the parent has open") {
    const auto method = GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver);
    // What a program has open without a thought: neither of these is marked close-on-exec.
    int leaky_pipe[2];
    REQUIRE(::pipe(leaky_pipe) == 0);
    const int leaky_file = ::open("/dev/zero", O_RDONLY);
    struct stat status{};
    REQUIRE(::fstat(leaky_pipe[0], &status) == 0);
    const std::string pipe = "pipe:[" + std::to_string(status.st_ino) + "]";
    auto options = on("process", 3);
    options.start = method;
    coproc::pool other{options};
    CHECK(other.map(&twice, {1, 2, 3}).size() == 3);
    coproc::pool pool{options};
    auto lists = pool.map(
        [](int) {
            auto all = descriptors_of();
            return all;
        },
        {1, 2, 3, 4, 5, 6});
    for (const auto& list : lists) {
        std::string text;
        int channels = 0;
        int sockets = 0;
        int bells = 0;
        int others = 0;
        for (const auto& each : list) {
            text += each + "\n";
            const auto number = std::stoi(each);
            if (number <= 2) continue;
            if (each.find("coproc-channel") != std::string::npos)
                ++channels;
            else if (each.find("socket:") != std::string::npos)
                ++sockets;
            else if (each.find("eventfd") != std::string::npos)
                ++bells;
            else if (each.find("pidfd") == std::string::npos)
                ++others;
        }
        INFO(text);
        CHECK(channels == 1);
        CHECK(sockets == 1);
        CHECK(bells == 1);
        CHECK(others == 0);
        CHECK_THAT(text, !ContainsSubstring(pipe));
        CHECK_THAT(text, !ContainsSubstring("/dev/zero"));
    }
    for (const int fd : {leaky_pipe[0], leaky_pipe[1], leaky_file})
        ::close(fd);
    CHECK(ends(pool));
    CHECK(ends(other));
}

TEST_CASE("forked workers have no other worker's channel") {
    auto options = on("process", 3);
    options.start = coproc::start_method::fork;
    coproc::pool pool{options};
    for (const auto& list : pool.map([](int) { return descriptors_of(); }, {1, 2, 3, 4, 5, 6})) {
        std::string text;
        int channels = 0;
        for (const auto& each : list) {
            text += each + "\n";
            if (each.find("coproc-channel") != std::string::npos) ++channels;
        }
        INFO(text);
        CHECK(channels == 1);
    }
    CHECK(ends(pool));
}

TEST_CASE("no descriptor of a parent is inherited by what it executes") {
    coproc::pool pool{on("process", 2)};
    CHECK(pool.apply(&twice, 2) == 4);
    program list{"/bin/sh", {"-c", "ls -l /proc/self/fd"}};
    const auto text = list.rest();
    CHECK_THAT(text, !ContainsSubstring("memfd"));
    CHECK_THAT(text, !ContainsSubstring("eventfd"));
    CHECK_THAT(text, !ContainsSubstring("pidfd"));
    CHECK(ends(pool));
}

TEST_CASE("a program that ends with a live pool ends at once, and so do its workers") {
    const auto backend = each_backend();
    CAPTURE(backend);
    for (const std::string mode : {"return", "exit", "static", "late", "leak", "quick", "_exit",
                                   "abort", "throw", "thread"}) {
        CAPTURE(mode);
        program p{"exits", {mode, backend}};
        std::vector<pid_t> pids;
        std::string line = p.line();
        for (; !line.empty() && line != "running"; line = p.line())
            if (line.starts_with("pid ")) pids.push_back(std::stoi(line.substr(4)));
        if (backend == "process")
            while (pids.size() < 2) {
                line = p.line();
                REQUIRE(!line.empty());
                if (line.starts_with("pid ")) pids.push_back(std::stoi(line.substr(4)));
            }
        const auto code = p.wait();
        REQUIRE(code);
        CHECK(*code == (mode == "abort" || mode == "throw" ? -SIGABRT : 7));
        if (backend == "process") CHECK(all_gone(pids) == "");
        const auto rest = p.rest();
        if (mode == "late") CHECK_THAT(rest, ContainsSubstring("late"));
    }
}

TEST_CASE("a copy of the program made by fork ends without harm to the pool") {
    const auto backend = each_backend();
    CAPTURE(backend);
    for (const std::string mode : {"_exit", "exit", "own", "use"}) {
        CAPTURE(mode);
        program p{"forks", {mode, backend}, false};
        const auto child = p.line();
        if (sanitized)
            CHECK_THAT(child, StartsWith("child ")); // with whatever it found in the copy
        else
            CHECK(child == "child 9");
        CHECK(p.line() == "result 5 12");
        CHECK(p.wait() == 0);
    }
}
