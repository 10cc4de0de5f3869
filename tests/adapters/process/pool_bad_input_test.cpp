// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a user may get wrong is said in a sentence, and leaves everything as it was.

#include "pool_faults.hpp"

#include <cstdlib>
#include <limits>

using namespace coproc_test;

namespace {

std::uintmax_t marks(const std::string& path) {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    return ec ? 0 : size;
}

} // namespace

TEST_CASE("absurd numbers of workers are refused") {
    CHECK_THROWS_AS(coproc::pool{-1}, std::invalid_argument);
    CHECK_THROWS_AS(coproc::pool{std::numeric_limits<int>::min()}, std::invalid_argument);
    CHECK_THROWS_AS(coproc::pool{std::numeric_limits<long>::max()}, std::invalid_argument);
    CHECK_THROWS_AS(coproc::pool{std::numeric_limits<unsigned long>::max()}, std::invalid_argument);
    CHECK_THROWS_AS(coproc::pool{1'000'000}, std::invalid_argument);
    CHECK_THROWS_AS(coproc::dummy::pool{-3}, std::invalid_argument);
    CHECK_THROWS_AS(coproc::dummy::pool{1'000'000}, std::invalid_argument);
    CHECK_THAT(text_of(failure_of([] { const coproc::pool pool{-7}; })), ContainsSubstring("-7"));
}

TEST_CASE("no number of workers means one for each CPU") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 0)};
    CHECK(pool.workers() == coproc::cpu_count());
    CHECK(ailment(pool) == "");
}

TEST_CASE("an unknown backend is named, with those that are known") {
    const auto text = text_of(failure_of([] { const coproc::pool pool{on("carrier pigeon")}; }));
    CHECK_THAT(text, ContainsSubstring("carrier pigeon"));
    CHECK_THAT(text, ContainsSubstring("process"));
    CHECK_THAT(text, ContainsSubstring("dummy"));
    CHECK_THROWS_AS(coproc::pool{on("carrier pigeon")}, std::invalid_argument);

    ::setenv("COPROC_BACKEND", "smoke signals", 1);
    const auto from_environment = text_of(failure_of([] { const coproc::pool pool{1}; }));
    ::unsetenv("COPROC_BACKEND");
    CHECK_THAT(from_environment, ContainsSubstring("smoke signals"));
    CHECK_THAT(from_environment, ContainsSubstring("COPROC_BACKEND"));
}

TEST_CASE("a program without the runtime line is told which line it lacks, and does not multiply") {
    const auto mode = GENERATE(as<std::string>{}, "spawn", "forkserver", "late");
    CAPTURE(mode);
    const signs files;
    const auto path = files.path("marks");
    ::setenv("COPROC_TEST_MARKS", path.c_str(), 1);
    ::setenv("COPROC_TEST_MODE", mode.c_str(), 1);
    program p{"no_runtime"};
    ::unsetenv("COPROC_TEST_MARKS");
    ::unsetenv("COPROC_TEST_MODE");
    const auto text = p.rest();
    // ThreadSanitizer does not see how the standard library counts an exception's owners.
    CHECK((p.wait() == 0 || sanitized));
    INFO(text);
    CHECK_THAT(text, ContainsSubstring("bootstrap_error"));
    CHECK_THAT(text, ContainsSubstring("coproc::runtime runtime{argc, argv};"));
    CHECK_THAT(text, ContainsSubstring("coproc::main"));
    CHECK(marks(path) >= 2);
    CHECK(marks(path) <= 12); // itself, and a bounded number of starts
}

TEST_CASE("a program whose file is replaced while it runs goes on or says so") {
    const signs files;
    const auto copy = files.path("replaced-program");
    const auto sign = files.path("go");
    std::filesystem::copy_file(std::string{COPROC_TEST_BINARY_DIR} + "/replaced", copy);
    program p{copy, {sign}};
    REQUIRE(p.line() == "ready");
    std::filesystem::copy_file(std::string{COPROC_TEST_BINARY_DIR} + "/prints", copy + ".new");
    std::filesystem::rename(copy + ".new", copy);
    raise_sign(sign);
    const auto line = p.line();
    INFO(line);
    CHECK((line == "result 42" || line.find("replaced") != std::string::npos));
    CHECK(p.wait() == 0);
}

TEST_CASE("workers of another build are refused at once, whatever they differ in") {
    const auto what = GENERATE(as<std::string>{}, "build", "version");
    CAPTURE(what);
    const signs files;
    const auto path = files.path("marks");
    ::setenv("COPROC_TEST_MARKS", path.c_str(), 1);
    program p{"other_build", {what}};
    ::unsetenv("COPROC_TEST_MARKS");
    const auto text = p.rest();
    INFO(text);
    CHECK(p.wait() == 0);
    CHECK_THAT(text, StartsWith("bootstrap_error: "));
    CHECK_THAT(text, ContainsSubstring("another build"));
    CHECK_THAT(text, ContainsSubstring("replaced"));
    CHECK(marks(path) >= 2);
    CHECK(marks(path) <= 3); // the program and its two workers: trying again would not help
}

TEST_CASE("a library that is replaced while its program runs is noticed") {
    const signs files;
    const auto library = files.path("library.so");
    const auto sign = files.path("go");
    const std::string directory = COPROC_TEST_BINARY_DIR;
    std::filesystem::copy_file(directory + "/replaceable_one.so", library);
    program p{"replaced", {sign, library}};
    REQUIRE(p.line() == "ready");
    std::filesystem::copy_file(directory + "/replaceable_two.so", library + ".new");
    std::filesystem::rename(library + ".new", library);
    raise_sign(sign);
    const auto line = p.line();
    INFO(line);
    CHECK_THAT(line, StartsWith("error: "));
    CHECK_THAT(line, ContainsSubstring("another build"));
    CHECK_THAT(line, ContainsSubstring(library));
    CHECK(p.wait() == 0);
}

TEST_CASE("an empty function is an error of its task, or refused at the call") {
    coproc::pool pool{on("process")};
    int (*nothing)(int) = nullptr;
    const auto error = failure_of([&] { pool.apply_async(nothing, 1).get(patience); });
    CHECK(error);
    CHECK(ailment(pool) == "");
}

TEST_CASE("an empty handle says so, and so does one that was taken") {
    coproc::async_result<int> empty;
    CHECK(!empty.valid());
    CHECK_THROWS_AS(empty.get(), std::future_error);
    CHECK_THROWS_AS(empty.wait(), std::future_error);
    coproc::pool pool{on("process", 1)};
    auto h = pool.apply_async(&twice, 2);
    CHECK(h.get(patience) == 4);
    CHECK_THROWS_AS(h.get(), std::future_error);
}
