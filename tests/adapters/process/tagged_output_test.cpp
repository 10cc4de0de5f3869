// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// pool_options::tag_output: what workers print comes out with their names.

#include "pool_faults.hpp"

#include <src/line_tagger.hpp>

#include <fcntl.h>
#include <map>
#include <set>
#include <sstream>

using namespace coproc_test;
using coproc::detail::line_tagger;

namespace {

std::string tagged(std::initializer_list<std::string_view> pieces) {
    line_tagger tagger{"w"};
    std::string out;
    for (const auto piece : pieces)
        tagger.feed(piece, out);
    tagger.finish(out);
    return out;
}

std::string method() { return GENERATE(as<std::string>{}, "spawn", "forkserver", "fork"); }

} // namespace

TEST_CASE("line_tagger: whole lines with a name, whatever the pieces") {
    CHECK(tagged({}).empty());
    CHECK(tagged({""}).empty());
    CHECK(tagged({"a\n"}) == "[w] a\n");
    CHECK(tagged({"a", "b", "\n", "c\nd\n\n"}) == "[w] ab\n[w] c\n[w] d\n[w] \n");
    CHECK(tagged({"a\nb"}) == "[w] a\n[w] b\n"); // the end makes a line whole

    line_tagger tagger{"w"};
    std::string out;
    tagger.feed("begun", out);
    CHECK(out.empty());
    tagger.feed(" and ended\nbegun", out);
    CHECK(out == "[w] begun and ended\n");
}

TEST_CASE("line_tagger: a line that is too long comes in parts") {
    constexpr auto most = line_tagger::longest_line;
    const std::string full(most, 'x');
    CHECK(tagged({full, "\n"}) == "[w] " + full + "\n");
    CHECK(tagged({full + "y\n"}) == "[w] " + full + "\n[w] y\n");
    CHECK(tagged({full, full, "y"}) == "[w] " + full + "\n[w] " + full + "\n[w] y\n");
}

TEST_CASE("tagged lines that workers print arrive whole, with their names, before a join ends") {
    const auto how = method();
    CAPTURE(how);
    program p{"prints", {how, "tagged"}};
    std::istringstream text{p.rest()};
    CHECK(p.wait() == 0);
    std::map<int, int> lines;
    std::set<std::string> workers;
    int torn = 0;
    for (std::string line; std::getline(text, line);) {
        const auto begin = line.find("] <");
        const auto colon = line.find(':');
        if (!line.starts_with("[printer-") || begin == std::string::npos ||
            colon == std::string::npos) {
            ++torn;
            continue;
        }
        workers.insert(line.substr(1, begin - 1));
        const int task = std::stoi(line.substr(begin + 3));
        if (line.substr(begin + 2) == "<" + std::to_string(task) + ":" +
                                          std::string(200, static_cast<char>('a' + task % 26)) +
                                          ">")
            ++lines[task];
        else
            ++torn;
    }
    CHECK(torn == 0);
    CHECK(!workers.empty());
    CHECK(workers.size() <= 4);
    CHECK(lines.size() == 40);
    for (const auto& [task, n] : lines)
        CHECK(n == 20);
}

TEST_CASE("a worker's last words are tagged too, and what other programs say for it") {
    const auto how = method();
    CAPTURE(how);
    program p{"prints", {how, "last-words"}};
    const auto text = p.rest();
    INFO(text);
    CHECK(p.wait() == 0);
    CHECK_THAT(text, ContainsSubstring("[printer-1] from a program\n"));
    CHECK_THAT(text, ContainsSubstring("[printer-1] from stderr\n"));
    CHECK_THAT(text, ContainsSubstring("[printer-1] without an end\n"));
}

TEST_CASE("a pool ends although nobody reads what its workers print") {
    program p{"prints", {"spawn", "stuck"}, false};
    CHECK(p.wait() == 0); // its output stays in the pipe
}

TEST_CASE("tagged workers leave no descriptor behind, and have none but their own") {
    const auto how = method();
    CAPTURE(how);
    auto options = on("process", 2);
    options.tag_output = true;
    options.start = how == "spawn"        ? coproc::start_method::spawn
                    : how == "forkserver" ? coproc::start_method::forkserver
                                          : coproc::start_method::fork;
    const auto highest = [] {
        std::size_t n = 0;
        for (const auto& d : descriptors_of())
            n += d.find("pipe:") != std::string::npos ? 1 : 0;
        return n;
    };
    {
        coproc::pool warm{options}; // threads, the forkserver
        CHECK(warm.apply(highest) >= 2);
    }
    const auto before = descriptor_count();
    {
        coproc::pool pool{options};
        const auto mine = static_cast<std::size_t>(
            std::ranges::count_if(descriptors_of(), [](const std::string& d) {
                return d.find("pipe:") != std::string::npos;
            }));
        CHECK(mine >= 4);                // a worker has two pipes
        CHECK(pool.apply(highest) <= 3); // stdout, stderr; what the test itself was given
        CHECK_THROWS_AS(pool.apply([] { std::raise(SIGKILL); }), coproc::worker_lost_error);
        CHECK(ailment(pool) == "");
    }
    CHECK(eventually([&] { return descriptor_count() <= before; }));
}

TEST_CASE("threads write to the program's own streams, tagged or not") {
    auto options = on("dummy");
    options.tag_output = true;
    coproc::pool pool{options};
    CHECK(pool.apply(&own_pid) == ::getpid());
}
