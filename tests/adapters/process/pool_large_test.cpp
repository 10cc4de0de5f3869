// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Large arguments: the worker reads them while they are being written. What goes wrong on either
// side in the meantime is that task's error, and nothing else's.

#include "pool_faults.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace coproc_test;

/// Raises a sign when the worker reads it, or throws.
struct announced {
    std::string sign;
    bool unreadable = false;
};

/// Waits for a sign when it is written, then throws or not.
struct awaiting {
    std::string sign;
    bool unwritable = false;
};

/// Cannot be written once the sign is there; whoever reads it makes do without.
struct forgiving {
    std::string sign;
};

/// Takes long to be written.
struct slow {};

/// Forks when it is written; the child cannot write it.
struct forks_written {};

/// Forks when it is read, waits for the end of the child, and only then raises the sign.
struct forks_read {
    std::string sign;
    int exit_code = 0;
};

std::optional<int> exit_code_of(pid_t child) {
    int status = 0;
    if (!eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; })) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
        return {};
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

using numbers = std::vector<std::uint64_t>;

numbers count_to(std::size_t n) {
    numbers all(n);
    for (std::size_t i = 0; i != n; ++i)
        all[i] = i;
    return all;
}

constexpr std::size_t many = 1'000'000;

std::uint64_t add(const announced&, const numbers& some, const awaiting&, const std::string& ran) {
    if (!ran.empty()) raise_sign(ran);
    std::uint64_t sum = 0;
    for (const auto x : some)
        sum += x;
    return sum;
}

/// Codecs of types that travel as one byte, without what it takes to write that.
template <class T>
struct one_byte {
    static void size(coproc::detail::sizer& s, const T&) { s.bytes(1); }
    static T decode(coproc::detail::reader& r) {
        r.raw<char>();
        return {};
    }
};

} // namespace

template <>
struct coproc::codec<announced> {
    static void size(detail::sizer& s, const announced& x) {
        codec<std::string>::size(s, x.sign);
        s.bytes(1);
    }
    static void encode(detail::writer& w, const announced& x) {
        codec<std::string>::encode(w, x.sign);
        w.raw(x.unreadable);
    }
    static announced decode(detail::reader& r) {
        announced x{codec<std::string>::decode(r)};
        x.unreadable = r.raw<bool>();
        raise_sign(x.sign);
        if (x.unreadable) throw std::out_of_range{"perished"};
        return x;
    }
};

template <>
struct coproc::codec<awaiting> {
    static void size(detail::sizer& s, const awaiting& x) { codec<std::string>::size(s, x.sign); }
    static void encode(detail::writer& w, const awaiting& x) {
        if (!x.sign.empty() && !eventually([&] { return sees_sign(x.sign); }))
            throw std::logic_error{"the worker has not begun to read"};
        if (x.unwritable) throw std::out_of_range{"perished"};
        codec<std::string>::encode(w, x.sign);
    }
    static awaiting decode(detail::reader& r) { return {codec<std::string>::decode(r)}; }
};

template <>
struct coproc::codec<forgiving> : one_byte<forgiving> {
    static void encode(detail::writer&, const forgiving& x) {
        if (!eventually([&] { return sees_sign(x.sign); }))
            throw std::logic_error{"the worker has not begun to read"};
        throw std::out_of_range{"perished"};
    }
    static forgiving decode(detail::reader& r) {
        try {
            return one_byte<forgiving>::decode(r);
        } catch (const std::exception&) {
            return {};
        }
    }
};

template <>
struct coproc::codec<slow> : one_byte<slow> {
    static void encode(detail::writer& w, const slow&) {
        std::this_thread::sleep_for(std::chrono::seconds{3});
        w.raw('x');
    }
};

template <>
struct coproc::codec<forks_written> : one_byte<forks_written> {
    static void encode(detail::writer& w, const forks_written&) {
        const pid_t child = ::fork();
        if (child == 0) throw std::out_of_range{"perished"};
        if (exit_code_of(child) != 0) throw std::logic_error{"the child does not end"};
        w.raw('x');
    }
};

template <>
struct coproc::codec<forks_read> {
    static void size(detail::sizer& s, const forks_read& x) { codec<std::string>::size(s, x.sign); }
    static void encode(detail::writer& w, const forks_read& x) {
        codec<std::string>::encode(w, x.sign);
    }
    static forks_read decode(detail::reader& r) {
        forks_read x{codec<std::string>::decode(r)};
        const pid_t child = ::fork();
        if (child != 0) {
            x.exit_code = exit_code_of(child).value_or(-1);
            raise_sign(x.sign);
        }
        return x;
    }
};

TEST_CASE("a large argument is read while it is being written") {
    coproc::pool pool{on("process", 1)};
    const auto some = count_to(many);
    for (int round = 0; round != 5; ++round) {
        const signs files;
        const auto sign = files.path("reading");
        auto sum = pool.apply_async(&add, announced{sign}, some, awaiting{sign}, files.path("ran"));
        CHECK(sum.get(patience) == many * (many - 1) / 2);
        CHECK(sees_sign(files.path("ran")));
    }
    CHECK(ends(pool));
}

TEST_CASE("an argument that cannot be encoded behind a large one that is being read") {
    coproc::pool pool{on("process", 1)};
    const auto some = count_to(many);
    const int pid = pool.apply(&own_pid);
    for (int round = 0; round != 5; ++round) {
        const signs files;
        const auto sign = files.path("reading");
        auto bad =
            pool.apply_async(&add, announced{sign}, some, awaiting{sign, true}, files.path("ran"));
        auto good =
            pool.apply_async(&add, announced{files.path("other")}, some, awaiting{}, std::string{});
        CHECK(check_death(failure_of(bad), way::error) == "");
        CHECK(good.get(patience) == many * (many - 1) / 2);
        CHECK_FALSE(sees_sign(files.path("ran")));
        CHECK(pool.apply(&own_pid) == pid);
    }
    CHECK(pool.stats().workers_lost == 0);
    CHECK(pool.stats().failed == 5);
    CHECK(ends(pool));
}

TEST_CASE("an argument that cannot be decoded before a large one that is being written") {
    coproc::pool pool{on("process", 1)};
    const auto some = count_to(many);
    const int pid = pool.apply(&own_pid);
    for (const bool unwritable : {false, true}) {
        const signs files;
        const auto sign = files.path("reading");
        auto bad = pool.apply_async(&add, announced{sign, true}, some, awaiting{sign, unwritable},
                                    files.path("ran"));
        CHECK(check_death(failure_of(bad), way::error) == "");
        CHECK_FALSE(sees_sign(files.path("ran")));
        CHECK(pool.apply(&own_pid) == pid);
    }
    CHECK(ends(pool));
}

TEST_CASE("a task does not run if its large call is given up, whatever its codecs make of that") {
    coproc::pool pool{on("process", 1)};
    const auto some = count_to(many);
    const int pid = pool.apply(&own_pid);
    const signs files;
    const auto sign = files.path("reading");
    const auto run = [](const announced&, const numbers&, const forgiving&) { std::abort(); };
    auto bad = pool.apply_async(run, announced{sign}, some, forgiving{sign});
    CHECK(check_death(failure_of(bad), way::error) == "");
    CHECK(pool.apply(&own_pid) == pid);
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("a timeout does not count how long a large call takes to be written") {
    coproc::pool pool{on("process", 1)};
    const auto last = [](const numbers& x, const slow&) { return x.back(); };
    auto call =
        pool.with({.timeout = std::chrono::seconds{2}}).apply_async(last, count_to(many), slow{});
    CHECK(call.get(patience) == many - 1);
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("the child of a fork while a large call is written leaves it to its parent") {
    coproc::pool pool{on("process", 1)};
    CHECK(pool.apply(&twice, 1) == 2);
    const auto last = [](const numbers& x, const forks_written&) { return x.back(); };
    const pid_t self = ::getpid();
    std::optional<coproc::async_result<std::uint64_t>> call;
    try {
        call = pool.apply_async(last, count_to(many), forks_written{});
    } catch (...) {
        if (::getpid() == self) throw;
    }
    if (::getpid() != self) ::_exit(0);
    CHECK(call->get(patience) == many - 1);
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("the child of a fork while a large call is read ends") {
    coproc::pool pool{on("process", 1)};
    const signs files;
    const auto sign = files.path("child has ended");
    const auto code = [](const forks_read& x, const numbers&, const awaiting&) {
        return x.exit_code;
    };
    auto call = pool.apply_async(code, forks_read{sign}, count_to(many), awaiting{sign});
    CHECK(call.get(patience) == 70); // as one that comes back from a task
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("large arguments in maps, in streams, and several calls behind each other") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend, 2)};
    const std::vector<numbers> lists(6, count_to(200'000));
    const auto last = [](const numbers& x) { return x.back(); };
    for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{3}})
        CHECK(pool.with({.chunk_size = chunk}).map_async(last, lists).get(patience) ==
              numbers(6, 199'999));
    std::size_t seen = 0;
    for (const auto x : pool.imap(last, lists))
        seen += x == 199'999 ? 1U : 0U;
    CHECK(seen == 6);
    std::vector<coproc::async_result<std::uint64_t>> calls;
    for (const auto& each : lists)
        calls.push_back(pool.apply_async(last, each));
    for (auto& each : calls)
        CHECK(each.get(patience) == 199'999);
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}
