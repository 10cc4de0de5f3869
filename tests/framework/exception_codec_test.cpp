// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/exception_codec.hpp>

#include "support/catch.hpp"

#include <coproc/codec.hpp>
#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/type_name.hpp>

#include <any>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <ios>
#include <optional>
#include <random>
#include <regex>
#include <variant>

using namespace coproc;
using namespace coproc::detail;

namespace {

failure_info somewhere() {
    return {.index = 7, .worker_pid = 99, .worker_name = "w", .label = "job", .backtrace = {}};
}

std::exception_ptr travel_there(const std::exception_ptr& exception) {
    const auto bytes = encode_exception(exception);
    reader r{bytes};
    auto result = decode_exception(r, somewhere());
    CHECK(r.left() == 0);
    return result;
}

template <class F>
std::exception_ptr thrown_by(F f) {
    try {
        f();
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

/// Calls `look(const E&)`, and checks that the exception is a task's failure.
template <class E, class Look>
void arrives_as(const std::exception_ptr& arrived, Look look) {
    try {
        std::rethrow_exception(arrived);
    } catch (const E& e) {
        look(e);
    } catch (...) {
        FAIL("arrived as " << format_exception(arrived));
    }
    try {
        std::rethrow_exception(arrived);
    } catch (const task_failure& f) {
        CHECK(f.index() == 7);
        CHECK(f.label() == "job");
        CHECK(f.worker_name() == "w");
    } catch (...) {
        FAIL("is no task_failure: " << format_exception(arrived));
    }
}

/// The exact type (below coproc's wrapping) and the text survive, on the wire and without it.
template <class E>
void comes_back(const E& sent) {
    const auto check = [&](const E& e) {
        CHECK(e.what() == std::string{sent.what()});
        CHECK(unwrapped_type_name(typeid(e)) == unwrapped_type_name(typeid(E)));
    };
    arrives_as<E>(travel_there(std::make_exception_ptr(sent)), check);
    arrives_as<E>(local_failure(std::make_exception_ptr(sent), somewhere()), check);
    arrives_as<E>(travel_there(travel_there(std::make_exception_ptr(sent))),
                  check); // a pool within a task
}

struct plain_failure { // a user's own, with nothing in common with std
    int code;
};

class io_failure : public std::runtime_error {
public:
    explicit io_failure(const std::string& what) : std::runtime_error{what} {}
};

class coded_failure : public std::runtime_error {
public:
    coded_failure(const std::string& what, int c) : std::runtime_error{what}, code{c} {}
    explicit coded_failure(const std::string& what) : coded_failure{what, 0} {}
    auto members() { return std::tie(code, notes); }
    int code;
    std::vector<std::string> notes;
};

class tiny_failure final : public std::exception {
public:
    tiny_failure() = default;
    explicit tiny_failure(int c) : code{c} {}
    const char* what() const noexcept override { return "tiny"; }
    auto members() { return std::tie(code); }
    int code = 0;
};

class late_failure : public std::logic_error {
public:
    explicit late_failure(const char* what) : std::logic_error{what} {}
};

struct silent_failure : std::exception {
    const char* what() const noexcept override { return "silent"; }
};

class rude_failure : public std::exception { // throws while it is encoded
public:
    std::string state = "x";
    auto members() {
        if (rude) throw std::runtime_error{"no"};
        return std::tie(state);
    }
    bool rude = false;
};

} // namespace

TEST_CASE("exception_codec: standard exceptions come back as themselves") {
    comes_back(std::logic_error{"a"});
    comes_back(std::domain_error{"a"});
    comes_back(std::invalid_argument{"a"});
    comes_back(std::length_error{"a"});
    comes_back(std::out_of_range{std::string(5000, 'x')});
    comes_back(std::runtime_error{""});
    comes_back(std::range_error{"a"});
    comes_back(std::overflow_error{"a"});
    comes_back(std::underflow_error{"a"});
    comes_back(std::exception{});
    comes_back(std::bad_alloc{});
    comes_back(std::bad_array_new_length{});
    comes_back(std::bad_cast{});
    comes_back(std::bad_typeid{});
    comes_back(std::bad_exception{});
    comes_back(std::bad_weak_ptr{});
    comes_back(std::bad_function_call{});
    comes_back(std::bad_optional_access{});
    comes_back(std::bad_variant_access{});
    comes_back(std::bad_any_cast{});
    comes_back(std::regex_error{std::regex_constants::error_brack});
    comes_back(std::future_error{std::future_errc::no_state});
}

TEST_CASE("exception_codec: errors of the system keep their code") {
    const auto code = std::make_error_code(std::errc::permission_denied);
    comes_back(std::system_error{code});
    comes_back(std::system_error{code, "opening"});
    comes_back(std::ios_base::failure{"reading", code});
    comes_back(std::filesystem::filesystem_error{"copying", code});
    comes_back(std::filesystem::filesystem_error{"copying", "/a", code});
    comes_back(std::filesystem::filesystem_error{"copying", "/a", "/b", code});
    arrives_as<std::system_error>(
        travel_there(std::make_exception_ptr(std::system_error{code, "opening"})),
        [&](const std::system_error& e) { CHECK(e.code() == code); });
    arrives_as<std::filesystem::filesystem_error>(
        travel_there(std::make_exception_ptr(
            std::filesystem::filesystem_error{"copying", "/a", "/b", code})),
        [&](const auto& e) {
            CHECK(e.code() == code);
            CHECK(e.path1() == "/a");
            CHECK(e.path2() == "/b");
        });
}

TEST_CASE("exception_codec: what the library itself throws comes back") {
    arrives_as<std::out_of_range>(
        travel_there(thrown_by([] { static_cast<void>(std::vector<int>{}.at(3)); })),
        [](const auto& e) { CHECK_THAT(e.what(), ContainsSubstring("range")); });
    arrives_as<std::bad_variant_access>(
        travel_there(
            thrown_by([] { static_cast<void>(std::get<int>(std::variant<int, char>{'c'})); })),
        [](const auto& e) { CHECK_THAT(e.what(), ContainsSubstring("wrong index")); });
    arrives_as<std::ios_base::failure>(
        travel_there(thrown_by([] {
            std::ifstream file;
            file.exceptions(std::ios::failbit);
            file.open("/does/not/exist");
        })),
        [](const auto& e) { CHECK(e.what() == std::string{"basic_ios::clear: iostream error"}); });
    arrives_as<std::filesystem::filesystem_error>(
        travel_there(
            thrown_by([] { static_cast<void>(std::filesystem::file_size("/does/not/exist")); })),
        [](const auto& e) { CHECK(e.path1() == "/does/not/exist"); });
}

TEST_CASE("exception_codec: coproc's own errors come back") {
    comes_back(error{"a"});
    comes_back(timeout_error{timeout_kind::queued});
    comes_back(cancelled_error{});
    comes_back(pool_closed_error{});
    comes_back(serialization_error{"a"});
    comes_back(queue_closed_error{});
    comes_back(end_of_stream_error{});
    arrives_as<timeout_error>(
        travel_there(std::make_exception_ptr(timeout_error{timeout_kind::queued})),
        [](const auto& e) { CHECK(e.kind() == timeout_kind::queued); });
    arrives_as<worker_lost_error>(
        travel_there(std::make_exception_ptr(worker_lost_error{
            {.worker_pid = 5, .worker_name = {}, .label = {}, .backtrace = {}}, -9})),
        [](const auto& e) {
            CHECK(e.pid() == 5);
            CHECK(e.exit_code() == -9);
        });
}

TEST_CASE("exception_codec: other types arrive as remote_error") {
    arrives_as<remote_error>(travel_there(std::make_exception_ptr(io_failure{"disk"})),
                             [](const auto& e) {
                                 CHECK_THAT(e.type_name(), EndsWith("io_failure"));
                                 CHECK(e.what() == std::string{"disk"});
                             });
    arrives_as<remote_error>(travel_there(std::make_exception_ptr(42)),
                             [](const auto& e) { CHECK(e.type_name() == "int"); });
    arrives_as<remote_error>(
        travel_there(std::make_exception_ptr(plain_failure{1})),
        [](const auto& e) { CHECK_THAT(e.type_name(), EndsWith("plain_failure")); });
    arrives_as<remote_error>(travel_there(std::make_exception_ptr(std::string{"text"})),
                             [](const auto& e) {
                                 CHECK(e.type_name() == "std::string");
                                 CHECK(e.what() == std::string{"text"});
                             });
    arrives_as<remote_error>(travel_there(thrown_by([] { throw "literal"; })),
                             [](const auto& e) { CHECK(e.what() == std::string{"literal"}); });
    arrives_as<remote_error>(
        travel_there(travel_there(std::make_exception_ptr(io_failure{"disk"}))), [](const auto& e) {
            CHECK_THAT(e.type_name(), EndsWith("io_failure"));
            CHECK(e.what() == std::string{"disk"});
        });
}

TEST_CASE("exception_codec: in the own process a user's type stays what it is") {
    const auto sent = std::make_exception_ptr(io_failure{"disk"});
    CHECK(local_failure(sent, somewhere()) == sent);
    const auto number = std::make_exception_ptr(42);
    CHECK(local_failure(number, somewhere()) == number);
    CHECK(local_failure(nullptr, somewhere()) == nullptr);
}

TEST_CASE("exception_codec: registered types arrive as themselves") {
    register_exception<plain_failure>();
    register_exception<coded_failure>();
    register_exception<tiny_failure>();
    register_exception<late_failure>();
    arrives_as<plain_failure>(travel_there(std::make_exception_ptr(plain_failure{5})),
                              [](const auto& e) { CHECK(e.code == 5); });
    coded_failure coded{"text", 8};
    coded.notes = {"a", "b"};
    arrives_as<coded_failure>(travel_there(std::make_exception_ptr(coded)), [](const auto& e) {
        CHECK(e.what() == std::string{"text"});
        CHECK(e.code == 8);
        CHECK(e.notes.size() == 2);
    });
    arrives_as<late_failure>(travel_there(std::make_exception_ptr(late_failure{"late"})),
                             [](const auto& e) { CHECK(e.what() == std::string{"late"}); });
    register_exception<silent_failure>();
    arrives_as<silent_failure>(travel_there(std::make_exception_ptr(silent_failure{})),
                               [](const auto& e) { CHECK(e.what() == std::string{"silent"}); });
    // A final class cannot be made a task_failure; it is itself all the same.
    CHECK_THROWS_AS(std::rethrow_exception(travel_there(std::make_exception_ptr(tiny_failure{4}))),
                    tiny_failure);
    // Arrived, and sent on.
    arrives_as<coded_failure>(travel_there(travel_there(std::make_exception_ptr(coded))),
                              [](const auto& e) { CHECK(e.code == 8); });
}

TEST_CASE("exception_codec: an exception that cannot be encoded still arrives as something") {
    register_exception<rude_failure>();
    rude_failure rude;
    rude.rude = true;
    arrives_as<remote_error>(travel_there(std::make_exception_ptr(rude)), [](const auto& e) {
        CHECK_THAT(e.type_name(), EndsWith("rude_failure"));
    });
}

TEST_CASE("exception_codec: what was nested comes along") {
    const auto sent = thrown_by([] {
        try {
            try {
                throw std::invalid_argument{"innermost"};
            } catch (...) {
                std::throw_with_nested(io_failure{"middle"});
            }
        } catch (...) {
            std::throw_with_nested(std::runtime_error{"outer"});
        }
    });
    for (const auto& arrived :
         {travel_there(sent), travel_there(travel_there(sent)), local_failure(sent, somewhere())}) {
        arrives_as<std::runtime_error>(arrived, [](const auto& e) {
            CHECK(e.what() == std::string{"outer"});
            const auto middle = thrown_by([&] { std::rethrow_if_nested(e); });
            REQUIRE(middle != nullptr);
            CHECK_THAT(format_exception(middle),
                       ContainsSubstring("middle") &&
                           ContainsSubstring("std::invalid_argument: innermost"));
        });
    }
}

TEST_CASE("exception_codec: the registry teaches what is new") {
    struct fresh {
        int n;
    };
    const std::size_t before = exception_registry::size();
    register_exception<fresh>();
    register_exception<fresh>();
    CHECK(exception_registry::size() == before + 1);
    sizer s;
    exception_registry::size(s, before);
    std::vector<std::byte> bytes(s.size());
    struct fresher {
        int n;
    };
    register_exception<fresher>(); // between the passes
    writer w{bytes};
    exception_registry::encode(w, before);
    CHECK(w.room() == 0);
    reader r{bytes};
    exception_registry::learn(r);
    CHECK(exception_registry::size() == before + 2);
}

TEST_CASE("exception_codec: a type in a library that cannot be loaded leaves the others known") {
    struct known {
        int n;
    };
    const std::size_t before = exception_registry::size();
    register_exception<known>();
    const auto write = [&](auto&& out) {
        out(std::uint64_t{7}, std::uint64_t{64}, std::string{"/no/such/library.so"},
            std::string{"build"});
    };
    sizer s;
    write([&](auto key, auto offset, const auto& path, const auto& build) {
        s.bytes(sizeof key + sizeof offset);
        detail::size(s, path);
        detail::size(s, build);
    });
    exception_registry::size(s, before);
    std::vector<std::byte> bytes(s.size());
    writer w{bytes};
    write([&](auto key, auto offset, const auto& path, const auto& build) {
        w.raw(key);
        w.raw(offset);
        detail::encode(w, path);
        detail::encode(w, build);
    });
    exception_registry::encode(w, before);
    reader r{bytes};
    CHECK_NOTHROW(exception_registry::learn(r));
    CHECK(r.left() == 0);

    reader cut{std::span{bytes}.first(3)};
    CHECK_THROWS_AS(exception_registry::learn(cut), coproc::serialization_error);
}

TEST_CASE("exception_codec: a throw inside a task knows where it was") {
    const bool was = trace_throws(true);
    const auto caught = thrown_by([] { static_cast<void>(std::vector<int>{}.at(3)); });
    trace_throws(was);
    const auto trace = thrown_backtrace(caught);
    if (trace.empty()) return; // built without: sanitizers
    CHECK(trace.frames().size() >= 2);
    const auto arrived = travel_there(caught);
    arrives_as<std::out_of_range>(arrived, [](const auto& e) {
        const auto* failure = dynamic_cast<const task_failure*>(&e);
        REQUIRE(failure != nullptr);
        CHECK_THAT(failure->backtrace(),
                   ContainsSubstring("#0 ") && ContainsSubstring("__throw_out_of_range"));
    });
    CHECK(thrown_backtrace(thrown_by([] { throw 1; })).empty());
}

TEST_CASE("exception_codec: a backtrace names functions") {
    std::array<void*, 32> frames;
    const auto count = unwind(frames);
    REQUIRE(count > 2);
    const auto trace = to_backtrace(std::span{frames}.first(count));
    CHECK_THAT(trace.text(), ContainsSubstring("main"));
    CHECK(trace.text() == trace.text());
    const auto bytes = [&] {
        sizer s;
        size_backtrace(s, trace);
        std::vector<std::byte> out(s.size());
        writer w{out};
        encode_backtrace(w, trace);
        return out;
    }();
    reader r{bytes};
    CHECK(decode_backtrace(r).text() == trace.text());
}

TEST_CASE("exception_codec: damaged data is refused") {
    std::mt19937 random{99};
    for (const auto& sent :
         {std::make_exception_ptr(std::out_of_range{"text"}),
          std::make_exception_ptr(io_failure{"disk"}),
          std::make_exception_ptr(
              std::system_error{std::make_error_code(std::errc::timed_out), "x"}),
          std::make_exception_ptr(plain_failure{5}), std::make_exception_ptr(timeout_error{})}) {
        const auto good = encode_exception(sent);
        const auto survives = [](std::span<const std::byte> bytes) {
            try {
                reader r{bytes};
                const auto decoded = decode_exception(r, somewhere());
                CHECK(decoded != nullptr);
            } catch (const serialization_error&) {}
        };
        for (std::size_t length = 0; length < good.size(); ++length)
            survives(std::vector<std::byte>(good.begin(),
                                            good.begin() + static_cast<std::ptrdiff_t>(length)));
        for (int i = 0; i != 5000; ++i) {
            auto bad = good;
            for (auto flips = 1 + random() % 3; flips != 0; --flips)
                bad[random() % bad.size()] = static_cast<std::byte>(random());
            survives(bad);
        }
    }
}
