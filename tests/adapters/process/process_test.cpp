// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What only a process has: deaths of every kind, the system's refusals, its parent's end, start
// methods, and nothing that stays behind.

#include "pool_faults.hpp"

#include <os/limits.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

using namespace coproc_test;

namespace {

coproc::start_method each_method() {
    return GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver,
                    coproc::start_method::fork);
}

/// Perishes while it is decoded or encoded.
struct perishing {
    way how = way::error;
    bool encoding = false;
};

struct failing {
    int left = 0; // that often its encoding fails
};

int encodings_to_fail = 0;

std::optional<int> code_of(coproc::process& p) {
    p.start();
    if (!p.join(patience)) return {};
    return p.exit_code();
}

std::string check_code(std::optional<int> code, way how) {
    if (!code) return "it has not ended";
    const auto expect = [&](int wanted) {
        return *code == wanted ? std::string{} : "exit code " + std::to_string(*code);
    };
    switch (how) {
    case way::error:
        return expect(1);
    // The sanitizers have exit codes of their own, for what they find in a fork's copy.
    case way::exit_0:
        return sanitized && *code > 0 ? std::string{} : expect(0);
    case way::exit_3:
        return sanitized && *code > 0 ? std::string{} : expect(3);
    case way::abort:
        return expect(-SIGABRT);
    case way::segv:
        return sanitized && *code != 0 ? std::string{} : expect(-SIGSEGV);
    case way::kill:
        return expect(-SIGKILL);
    }
    return "?";
}

std::vector<pid_t> pids_in(program& p, std::size_t wanted) {
    std::vector<pid_t> all;
    while (all.size() < wanted) {
        const auto line = p.line();
        if (line.empty()) break;
        if (line.starts_with("pid ")) all.push_back(std::stoi(line.substr(4)));
    }
    REQUIRE(all.size() == wanted);
    return all;
}

bool all_gone(const std::vector<pid_t>& pids) {
    return std::ranges::all_of(pids,
                               [](pid_t pid) { return eventually([&] { return is_gone(pid); }); });
}

/// Bytes of the channels' memory files.
std::size_t channel_memory() {
    std::size_t bytes = 0;
    for (const auto& each : descriptors_of())
        if (each.find("coproc-channel") != std::string::npos) {
            struct stat facts{};
            const auto path = "/proc/self/fd/" + std::to_string(std::stoi(each));
            if (::stat(path.c_str(), &facts) == 0)
                bytes += static_cast<std::size_t>(facts.st_blocks) * 512;
        }
    return bytes;
}

} // namespace

template <>
struct coproc::codec<perishing> {
    static void size(detail::sizer& s, const perishing&) { s.bytes(sizeof(way)); }
    static void encode(detail::writer& w, const perishing& x) {
        if (x.encoding) perish(x.how);
        w.raw(x.how);
    }
    static perishing decode(detail::reader& r) {
        perish(r.raw<way>());
        return {};
    }
};

template <>
struct coproc::codec<failing> {
    static void size(detail::sizer& s, const failing&) { s.bytes(1); }
    static void encode(detail::writer& w, const failing&) {
        if (encodings_to_fail-- > 0) throw std::domain_error{"it cannot be encoded"};
        w.raw('x');
    }
    static failing decode(detail::reader& r) {
        r.raw<char>();
        return {};
    }
};

TEST_CASE("the exit code of a process tells how it ended") {
    const auto method = each_method();
    CAPTURE(coproc::to_string(method));
    coproc::process returned{{.start = method}, [] {}};
    CHECK(code_of(returned) == 0);
    for (const auto how : all_ways) {
        CAPTURE(name_of(how));
        coproc::process running{{.start = method}, &perish, how};
        CHECK(check_code(code_of(running), how) == "");
        coproc::process decoding{{.start = method}, [](const perishing&) {}, perishing{how}};
        CHECK(check_code(code_of(decoding), how) == "");
    }
    coproc::process terminated{{.start = method}, [] { never_end(board::make(), 0); }};
    terminated.start();
    terminated.terminate();
    terminated.join();
    CHECK(terminated.exit_code() == -SIGTERM);
    CHECK(coproc::active_children().empty());
}

TEST_CASE(
    "a process that handles SIGTERM ends as it likes, and SIGKILL takes what it started along") {
    const auto method = each_method();
    CAPTURE(coproc::to_string(method));
    const auto b = board::make();
    coproc::process stubborn{{.start = method},
                             [](board c) {
                                 std::signal(SIGTERM, SIG_IGN);
                                 never_end(c, 0);
                             },
                             b};
    stubborn.start();
    REQUIRE(eventually([&] { return b[0] == 1; }));
    stubborn.terminate();
    CHECK_FALSE(stubborn.join(50ms));
    stubborn.kill();
    CHECK(stubborn.join(patience));
    CHECK(stubborn.exit_code() == -SIGKILL);

    coproc::process with_helper{{.start = method},
                                [](board c) {
                                    const pid_t helper = ::fork();
                                    if (helper == 0)
                                        for (;;)
                                            ::pause();
                                    c[1] = helper;
                                    never_end(c, 2);
                                },
                                b};
    with_helper.start();
    REQUIRE(eventually([&] { return b[2] == 1; }));
    with_helper.kill();
    with_helper.join();
    CHECK(all_gone({static_cast<pid_t>(b[1].load())}));

    coproc::process leaves_helper{{.start = method},
                                  [](board c) {
                                      const pid_t helper = ::fork();
                                      if (helper == 0)
                                          for (;;)
                                              ::pause();
                                      c[3] = helper;
                                  },
                                  b};
    CHECK(code_of(leaves_helper) == 0);
    CHECK(all_gone({static_cast<pid_t>(b[3].load())}));
}

TEST_CASE("a start that fails leaves a process that can be started") {
    const auto method = each_method();
    CAPTURE(coproc::to_string(method));
    coproc::process warm_up{{.start = method}, [] {}};
    CHECK(code_of(warm_up) == 0);
    const auto descriptors = descriptor_count();
    const auto processes = children().size();
    coproc::process p{{.start = method},
                      [](const failing&, std::unique_ptr<int> x) { std::exit(*x); },
                      failing{},
                      std::make_unique<int>(5)};
    encodings_to_fail = 2;
    for (int i = 0; i < 2; ++i) {
        CHECK(thrown<std::domain_error>([&] { p.start(); }));
        CHECK_FALSE(p.is_alive());
        CHECK(p.pid() == 0);
        CHECK(p.exit_code() == std::nullopt);
        CHECK(thrown<std::logic_error>([&] { p.join(); }));
        CHECK(coproc::active_children().empty());
    }
    rlimit former{};
    ::getrlimit(RLIMIT_NOFILE, &former);
    rlimit none = former;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
    CHECK(thrown<std::system_error>([&] { p.start(); }));
    ::setrlimit(RLIMIT_NOFILE, &former);
    CHECK(coproc::active_children().empty());
    const auto code = code_of(p);
    CHECK((code == 5 || (sanitized && code > 0)));
    CHECK(eventually([&] { return descriptor_count() <= descriptors; }));
    CHECK(eventually([&] { return children().size() <= processes; }));
}

TEST_CASE("a program without processes to spare is told at start, and goes on") {
    const auto method = GENERATE(as<std::string>{}, "spawn", "fork");
    CAPTURE(method);
    program p{"starved", {"start", method}};
    const auto text = p.rest();
    CAPTURE(text);
    const auto code = p.wait();
    REQUIRE(code);
    if (*code == 77) return; // cannot be tried here
    CHECK(*code == 0);
    CHECK_THAT(text, ContainsSubstring("refused"));
    CHECK_THAT(text, ContainsSubstring("recovered 5"));
}

TEST_CASE("a program without the runtime line is told at the first join, and does not multiply") {
    const auto mode = GENERATE(as<std::string>{}, "process", "process late", "process forkserver");
    CAPTURE(mode);
    const signs s;
    ::setenv("COPROC_TEST_MARKS", s.path("marks").c_str(), 1);
    ::setenv("COPROC_TEST_MODE", mode.c_str(), 1);
    program p{"no_runtime"};
    ::unsetenv("COPROC_TEST_MARKS");
    ::unsetenv("COPROC_TEST_MODE");
    const auto text = p.rest();
    CAPTURE(text);
    CHECK(p.wait() == 0);
    CHECK_THAT(text, ContainsSubstring("bootstrap_error"));
    CHECK_THAT(text, ContainsSubstring("coproc::runtime runtime{argc, argv};"));
    CHECK(std::filesystem::file_size(s.path("marks")) == 2);
}

TEST_CASE("a program that is killed takes its processes along, daemons or not, nested or not") {
    const auto method = GENERATE(as<std::string>{}, "spawn", "forkserver", "fork");
    CAPTURE(method);
    for (const int signal : {SIGKILL, SIGTERM}) {
        program parent{"processes", {"busy", method}};
        const auto pids = pids_in(parent, 7);
        for (const pid_t pid : pids)
            REQUIRE(!is_gone(pid));
        parent.kill(signal);
        CHECK(all_gone(pids));
        CHECK(parent.wait() == -signal);
        parent.rest(); // comes to its end only if nobody is left that has the pipe
    }
}

TEST_CASE("a program that ends waits for its processes and ends its daemons") {
    const auto method = GENERATE(as<std::string>{}, "spawn", "forkserver", "fork");
    CAPTURE(method);
    for (const auto& [mode, expected] :
         {std::pair{"return", 3}, {"exit", 3}, {"thread", 3}, {"inside", 3}, {"static", 1}}) {
        CAPTURE(mode);
        program p{"processes", {mode, method}};
        const auto text = p.rest();
        CAPTURE(text);
        CHECK(p.wait() == 7);
        std::istringstream lines{text};
        std::vector<pid_t> pids;
        int done = 0;
        for (std::string line; std::getline(lines, line);) {
            done += line.starts_with("done ") ? 1 : 0;
            pids.push_back(std::stoi(line.substr(line.find(' '))));
        }
        CHECK(done == expected);
        CHECK(all_gone(pids));
    }
}

TEST_CASE("a copy of the program made by fork has no say over its processes") {
    program p{"processes", {"fork", "spawn"}, false};
    const auto text = p.rest();
    if (!sanitized) CHECK_THAT(text, ContainsSubstring("copy 9"));
    CHECK_THAT(text, ContainsSubstring("done"));
    CHECK(p.wait() == 7);
}

TEST_CASE("processes one after the other leave nothing behind") {
    const auto method = each_method();
    CAPTURE(coproc::to_string(method));
    const auto one = [&](int i) {
        coproc::process p{{.start = method},
                          [](int x) {
                              if (x % 7 == 0) ::_exit(3);
                          },
                          i};
        p.start();
        if (i % 3 == 0) p.kill();
        if (i % 2 == 0) p.join();
    };
    for (int i = 0; i < 10; ++i)
        one(i);
    const auto descriptors = descriptor_count();
    const auto processes = children().size();
    const auto memory = coproc::detail::os::resident_bytes();
    for (int i = 0; i < (sanitized ? 40 : 200); ++i)
        one(i);
    CHECK(coproc::active_children().empty());
    CHECK(eventually([&] { return descriptor_count() <= descriptors; }));
    CHECK(eventually([&] { return children().size() <= processes; }));
    if (!sanitized) CHECK(coproc::detail::os::resident_bytes() < memory + (std::size_t{8} << 20));
}

TEST_CASE("a process that nobody waits for is collected all the same") {
    const auto processes = children().size();
    std::vector<coproc::process> all;
    for (int i = 0; i < 5; ++i)
        all.emplace_back([] {}).start();
    CHECK(eventually([&] { return children().size() <= processes; }));
    CHECK(std::ranges::all_of(all, [](const auto& p) { return p.exit_code() == 0; }));
}

TEST_CASE("the memory of large arguments comes back while the process runs") {
    const auto method = each_method();
    CAPTURE(coproc::to_string(method));
    const auto b = board::make();
    const auto before = channel_memory();
    coproc::process p{{.start = method},
                      [](const std::string& text, board c) {
                          c[1] = static_cast<std::int64_t>(text.size());
                          await_cell(c, 0);
                      },
                      std::string(std::size_t{64} << 20, 'x'),
                      b};
    p.start();
    REQUIRE(eventually([&] { return b[1] == std::int64_t{64} << 20; }));
    CHECK(eventually([&] { return channel_memory() < before + (std::size_t{16} << 20); }));
    b[0] = 1;
    p.join();
    CHECK(p.exit_code() == 0);
}

TEST_CASE("the start method that was chosen holds in processes, too") {
    const auto former = coproc::get_start_method();
    coproc::set_start_method(coproc::start_method::forkserver);
    coproc::process p{
        [] { std::exit(coproc::get_start_method() == coproc::start_method::forkserver ? 0 : 1); }};
    CHECK(code_of(p) == 0);
    coproc::set_start_method(former);
}

TEST_CASE(
    "a process shows under its name, reads nothing from the terminal, and has its own group") {
    const auto method = each_method();
    CAPTURE(coproc::to_string(method));
    const auto b = board::make();
    coproc::process p{{.name = "showy", .start = method},
                      [](board c) {
                          char byte = 0;
                          c[1] = ::read(0, &byte, 1);
                          c[2] = ::getpgrp() == ::getpid() ? 1 : 0;
                          c[0] = 1;
                          await_cell(c, 3);
                      },
                      b};
    p.start();
    REQUIRE(eventually([&] { return b[0] == 1; }));
    const auto file = [&](const char* name) {
        std::ifstream in{"/proc/" + std::to_string(p.pid()) + "/" + name};
        return std::string{std::istreambuf_iterator<char>{in}, {}};
    };
    CHECK(file("comm") == "showy\n");
    CHECK_THAT(file("cmdline"), ContainsSubstring(": showy"));
    CHECK(b[1] == 0);
    CHECK(b[2] == 1);
    b[3] = 1;
    p.join();
}

TEST_CASE("a process has no descriptor but its own") {
    const auto method = GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver);
    const int leaky = ::open("/dev/zero", O_RDONLY);
    const signs s;
    coproc::process neighbour{{.start = method}, [] { never_end(board::make(), 0); }};
    neighbour.start();
    coproc::process p{{.start = method},
                      [](const std::string& path) {
                          std::ofstream out{path};
                          for (const auto& each : descriptors_of())
                              out << each << '\n';
                      },
                      s.path("list")};
    CHECK(code_of(p) == 0);
    std::ifstream list{s.path("list")};
    int channels = 0;
    for (std::string line; std::getline(list, line);) {
        CHECK_THAT(line, !ContainsSubstring("/dev/zero"));
        channels += line.find("coproc-channel") != std::string::npos ? 1 : 0;
    }
    CHECK(channels == 1);
    neighbour.kill();
    ::close(leaky);
}

TEST_CASE("processes are started, stopped and waited for by many threads") {
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < (sanitized ? 4 : 15); ++i) {
                coproc::process p{[](int x) { ::_exit(x); }, t};
                p.start();
                std::thread killer;
                if (i % 3 == 0) killer = std::thread{[&] { p.kill(); }};
                if (!p.join(patience)) ++wrong;
                const auto code = p.exit_code();
                if (code != t && code != -SIGKILL) ++wrong;
                if (killer.joinable()) killer.join();
            }
        });
    for (auto& t : threads)
        t.join();
    CHECK(wrong == 0);
    CHECK(coproc::active_children().empty());
}
