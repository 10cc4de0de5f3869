// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What process, process_base, current_process and their relatives do on both backends alike.

#include "pools.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <tuple>
#include <variant>

using namespace coproc_test;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

struct on_processes {
    static constexpr bool threads = false;
    using process = coproc::process;
    template <class D>
    using process_base = coproc::process_base<D>;
    static coproc::process_info current() { return coproc::current_process(); }
    static std::optional<coproc::parent_info> parent() { return coproc::parent_process(); }
    static std::vector<coproc::process_handle> children() { return coproc::active_children(); }
};

struct on_threads {
    static constexpr bool threads = true;
    using process = coproc::dummy::process;
    template <class D>
    using process_base = coproc::dummy::process_base<D>;
    static coproc::process_info current() { return coproc::dummy::current_process(); }
    static std::optional<coproc::parent_info> parent() { return coproc::dummy::parent_process(); }
    static std::vector<coproc::process_handle> children() {
        return coproc::dummy::active_children();
    }
};

/// What is written to standard error while it lives, by this process and those it starts.
class captured_stderr {
public:
    captured_stderr() : file_{::memfd_create("stderr", MFD_CLOEXEC)}, former_{::dup(2)} {
        ::dup2(file_, 2);
    }
    captured_stderr(const captured_stderr&) = delete;
    captured_stderr& operator=(const captured_stderr&) = delete;
    ~captured_stderr() {
        ::dup2(former_, 2);
        ::close(former_);
        ::close(file_);
    }
    [[nodiscard]] std::string text() const {
        std::string all(1 << 16, '\0');
        const auto n = ::pread(file_, all.data(), all.size(), 0);
        all.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return all;
    }

private:
    int file_;
    int former_;
};

void write_file(const std::string& path, const std::string& text) {
    std::ofstream{path + ".new"} << text;
    std::filesystem::rename(path + ".new", path);
}

std::string read_file(const std::string& path) {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// Runs until it is stopped, or asked to stop.
void run_on(const std::string& entered) {
    raise_sign(entered);
    const auto stop = coproc::this_task::stop_token();
    while (!stop.stop_requested())
        std::this_thread::sleep_for(1ms);
}

/// Ends with the sign `leave`.
void stay(const std::string& entered, const std::string& leave) { hold(entered, leave); }

} // namespace

TEMPLATE_TEST_CASE("a process runs its function with its arguments", "", on_processes, on_threads) {
    const signs s;
    typename TestType::process p{
        [](const std::string& path, int number, const std::vector<std::string>& words,
           std::unique_ptr<int> owned) {
            write_file(path, std::to_string(number) + words.at(1) + std::to_string(*owned));
        },
        s.path("out"), 1, std::vector<std::string>{"a", "b"}, std::make_unique<int>(2)};
    CHECK(p.valid());
    CHECK_FALSE(p.is_alive());
    CHECK(p.exit_code() == std::nullopt);
    CHECK(p.pid() == 0);
    CHECK_FALSE(p.daemon());
    p.start();
    CHECK((p.pid() == ::getpid()) == TestType::threads);
    p.join();
    CHECK_FALSE(p.is_alive());
    CHECK(p.exit_code() == 0);
    CHECK(read_file(s.path("out")) == "1b2");
    p.join(); // at once
    CHECK(p.join(0s));
}

TEMPLATE_TEST_CASE("what a function returns is dropped, and a string literal arrives as a string",
                   "", on_processes, on_threads) {
    const signs s;
    typename TestType::process p{[](const std::string& path, const std::string& text) {
                                     write_file(path, text);
                                     return std::make_unique<int>(3);
                                 },
                                 s.path("out"), "literal"};
    p.start();
    p.join();
    CHECK(p.exit_code() == 0);
    CHECK(read_file(s.path("out")) == "literal");
}

TEMPLATE_TEST_CASE("a process's function that takes what arrives is given views", "", on_processes,
                   on_threads) {
    const signs s;
    const std::string path = s.path("out");
    int numbers[] = {1, 2, 3};
    typename TestType::process p{
        [](std::string to, std::vector<int> all) { write_file(to, std::to_string(all.size())); },
        std::string_view{path}, std::span<int>{numbers}};
    numbers[0] = 0;
    p.start();
    p.join();
    CHECK(p.exit_code() == 0);
    CHECK(read_file(path) == "3");
}

TEMPLATE_TEST_CASE("a process knows its name, its parent and whether it is a daemon", "",
                   on_processes, on_threads) {
    const signs s;
    CHECK(TestType::current().name() == "main");
    CHECK(TestType::current().pid() == ::getpid());
    CHECK_FALSE(TestType::current().daemon());
    CHECK_FALSE(TestType::parent().has_value());
    const auto tell = [](const std::string& path) {
        const auto self = TestType::current();
        const auto parent = TestType::parent();
        write_file(path, self.name() + ' ' + (self.pid() == ::getpid() ? "own" : "other") + ' ' +
                             (self.daemon() ? "daemon " : "- ") + parent->name() + ' ' +
                             std::to_string(parent->pid()) +
                             (parent->is_alive() ? " alive" : " dead"));
    };
    const std::string above = " main " + std::to_string(::getpid()) + " alive";

    typename TestType::process named{coproc::process_options{.name = "loader", .daemon = true},
                                     tell, s.path("named")};
    CHECK(named.name() == "loader");
    CHECK(named.daemon());
    named.start();
    named.join();
    CHECK(read_file(s.path("named")) == "loader own daemon" + above);

    typename TestType::process plain{tell, s.path("plain")};
    CHECK_THAT(plain.name(), StartsWith("process-"));
    plain.name("renamed");
    plain.daemon(true);
    plain.daemon(false);
    plain.start();
    CHECK(thrown<std::logic_error>([&] { plain.daemon(true); }));
    plain.name("afterwards");
    CHECK(plain.name() == "afterwards");
    plain.join();
    CHECK(read_file(s.path("plain")) == "renamed own -" + above);

    typename TestType::process first{tell, s.path("x")};
    typename TestType::process second{tell, s.path("x")};
    const auto number = [](const std::string& name) { return std::stoi(name.substr(8)); };
    CHECK(number(second.name()) == number(first.name()) + 1);
}

TEMPLATE_TEST_CASE("an exception is printed with the name of the process, and the exit code is 1",
                   "", on_processes, on_threads) {
    const captured_stderr err;
    typename TestType::process p{coproc::process_options{.name = "thrower"},
                                 [](int x) {
                                     if (x == 7) throw std::out_of_range{"seven is too much"};
                                 },
                                 7};
    p.start();
    p.join();
    CHECK(p.exit_code() == 1);
    CHECK_THAT(err.text(), ContainsSubstring("process \"thrower\""));
    CHECK_THAT(err.text(), ContainsSubstring("std::out_of_range: seven is too much"));

    typename TestType::process other{coproc::process_options{.name = "other"}, [] { throw 42; }};
    other.start();
    other.join();
    CHECK(other.exit_code() == 1);
    CHECK_THAT(err.text(), ContainsSubstring("process \"other\""));
}

TEMPLATE_TEST_CASE("a process is started once, and joined, stopped and closed in that order", "",
                   on_processes, on_threads) {
    const signs s;
    typename TestType::process p{&stay, s.path("entered"), s.path("leave")};
    CHECK(thrown<std::logic_error>([&] { p.join(); }));
    CHECK(thrown<std::logic_error>([&] { static_cast<void>(p.join(1s)); }));
    CHECK(thrown<std::logic_error>([&] { run(p.async_join(asio::use_awaitable)); }));
    CHECK(thrown<std::logic_error>([&] { p.terminate(); }));
    CHECK(thrown<std::logic_error>([&] { p.kill(); }));
    p.start();
    const auto twice = thrown<std::logic_error>([&] { p.start(); });
    REQUIRE(twice);
    CHECK_THAT(twice->what(), ContainsSubstring(p.name()));
    CHECK(thrown<std::logic_error>([&] { p.close(); }));
    CHECK(p.valid());
    raise_sign(s.path("leave"));
    p.join();
    p.terminate(); // nothing to do
    p.kill();
    CHECK(p.exit_code() == 0);
    CHECK(thrown<std::logic_error>([&] { p.start(); }));
    p.close();
    p.close();
    CHECK_FALSE(p.valid());

    typename TestType::process never{&stay, s.path("entered"), s.path("leave")};
    never.close();

    typename TestType::process empty;
    for (auto* each : {&p, &never, &empty}) {
        CHECK(thrown<std::logic_error>([&] { each->start(); }));
        CHECK(thrown<std::logic_error>([&] { each->join(); }));
        CHECK(thrown<std::logic_error>([&] { static_cast<void>(each->is_alive()); }));
        CHECK(thrown<std::logic_error>([&] { static_cast<void>(each->name()); }));
        CHECK(thrown<std::logic_error>([&] { run(each->async_join(asio::use_awaitable)); }));
    }
}

TEMPLATE_TEST_CASE("a join can give up", "", on_processes, on_threads) {
    const signs s;
    typename TestType::process p{&stay, s.path("entered"), s.path("leave")};
    p.start();
    CHECK_FALSE(p.join(0s));
    CHECK_FALSE(p.join(-1s));
    CHECK_FALSE(p.join(20ms));
    CHECK(p.is_alive());
    CHECK(p.exit_code() == std::nullopt);
    raise_sign(s.path("leave"));
    CHECK(p.join(patience));
    CHECK(p.exit_code() == 0);
}

TEMPLATE_TEST_CASE("several threads and coroutines wait for one process", "", on_processes,
                   on_threads) {
    const signs s;
    typename TestType::process p{&stay, s.path("entered"), s.path("leave")};
    p.start();
    std::vector<std::thread> threads;
    std::atomic<int> woken{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            p.join();
            woken += p.exit_code() == 0 ? 1 : 0;
        });
    asio::io_context context;
    for (int i = 0; i < 4; ++i)
        p.async_join([&](const std::exception_ptr& error) { woken += error ? 0 : 1; });
    auto future = p.async_join(asio::use_future);
    CHECK(future.wait_for(0s) == std::future_status::timeout);
    raise_sign(s.path("leave"));
    future.get();
    for (auto& t : threads)
        t.join();
    CHECK(eventually([&] { return woken == 8; }));
    p.async_join(asio::use_future).get(); // at once
    run(p.async_join(asio::use_awaitable));
}

TEMPLATE_TEST_CASE("waiting for a process can be cancelled, and the process does not notice", "",
                   on_processes, on_threads) {
    const signs s;
    typename TestType::process p{&stay, s.path("entered"), s.path("leave")};
    p.start();
    run([](auto& process) -> asio::awaitable<void> {
        asio::steady_timer timer{co_await asio::this_coro::executor, 20ms};
        const auto which = co_await (process.async_join(asio::use_awaitable) ||
                                     timer.async_wait(asio::use_awaitable));
        CHECK(which.index() == 1);
    }(p));
    CHECK(p.is_alive());

    asio::cancellation_signal stop;
    std::promise<std::exception_ptr> outcome;
    p.async_join(asio::bind_cancellation_slot(
        stop.slot(), [&](std::exception_ptr error) { outcome.set_value(std::move(error)); }));
    stop.emit(asio::cancellation_type::total);
    CHECK_THROWS_AS(std::rethrow_exception(outcome.get_future().get()), coproc::cancelled_error);
    CHECK(p.is_alive());

    raise_sign(s.path("leave"));
    run([](auto& process) -> asio::awaitable<void> {
        asio::steady_timer timer{co_await asio::this_coro::executor, patience};
        const auto which = co_await (process.async_join(asio::use_awaitable) ||
                                     timer.async_wait(asio::use_awaitable));
        CHECK(which.index() == 0);
    }(p));
    CHECK(p.exit_code() == 0);
}

TEMPLATE_TEST_CASE("a handle that goes waits for its process, unless that is a daemon", "",
                   on_processes, on_threads) {
    const signs s;
    {
        typename TestType::process p{[](const std::string& path) {
                                         std::this_thread::sleep_for(20ms);
                                         raise_sign(path);
                                     },
                                     s.path("ran")};
        p.start();
        typename TestType::process moved{std::move(p)};
        CHECK_FALSE(p.valid()); // NOLINT(bugprone-use-after-move)
        CHECK(moved.valid());
    }
    CHECK(sees_sign(s.path("ran")));

    typename TestType::process p{&raise_sign, s.path("assigned")};
    p.start();
    p = typename TestType::process{&raise_sign, s.path("never")};
    CHECK(sees_sign(s.path("assigned")));
    CHECK_FALSE(p.is_alive());
    p = typename TestType::process{};
    CHECK_FALSE(sees_sign(s.path("never")));

    const auto name = "daemon of " + std::to_string(::getpid());
    const auto is_it = [&](const coproc::process_handle& h) { return h.name() == name; };
    {
        typename TestType::process daemon{coproc::process_options{.name = name, .daemon = true},
                                          &stay, s.path("daemon entered"), s.path("daemon leave")};
        daemon.start();
    }
    const auto running = TestType::children();
    const auto at = std::ranges::find_if(running, is_it);
    REQUIRE(at != running.end());
    CHECK(at->is_alive());
    CHECK(at->daemon());
    raise_sign(s.path("daemon leave"));
    at->join();
    CHECK(at->exit_code() == 0);
    CHECK(std::ranges::none_of(TestType::children(), is_it));
}

TEMPLATE_TEST_CASE("the children that run can be listed, joined and stopped", "", on_processes,
                   on_threads) {
    const signs s;
    const auto before = TestType::children().size();
    typename TestType::process a{coproc::process_options{.name = "a"}, &stay, s.path("a"),
                                 s.path("leave")};
    typename TestType::process b{coproc::process_options{.name = "b"}, &run_on, s.path("b")};
    CHECK(TestType::children().size() == before);
    a.start();
    b.start();
    auto all = TestType::children();
    REQUIRE(all.size() == before + 2);
    CHECK(all[before].name() == "a");
    CHECK(all[before + 1].name() == "b");
    CHECK(all[before] == a);
    CHECK(all[before].pid() == a.pid());
    CHECK_FALSE(all[before].join(0s));
    raise_sign(s.path("leave"));
    all[before].join();
    CHECK_FALSE(a.is_alive());
    CHECK(TestType::children().size() == before + 1);
    REQUIRE(eventually([&] { return sees_sign(s.path("b")); }));
    all[before + 1].terminate();
    b.join();
    CHECK(b.exit_code() == -SIGTERM);
    CHECK(all[before + 1].exit_code() == -SIGTERM);
    CHECK(TestType::children().size() == before);
    coproc::process_handle light = a;
    a.close();
    CHECK(light.exit_code() == 0); // refers to it all the same
    CHECK_FALSE(coproc::process_handle{}.valid());
}

TEMPLATE_TEST_CASE("terminate and kill end a process, and the exit code says so", "", on_processes,
                   on_threads) {
    const signs s;
    typename TestType::process terminated{&run_on, s.path("t")};
    typename TestType::process killed{&run_on, s.path("k")};
    for (auto* each : {&terminated, &killed})
        each->start();
    REQUIRE(eventually([&] { return s.count("t") + s.count("k") == 2; }));
    terminated.terminate();
    killed.kill();
    CHECK(terminated.join(patience));
    CHECK(killed.join(patience));
    CHECK(terminated.exit_code() == -SIGTERM);
    CHECK(killed.exit_code() == -SIGKILL);
}

TEMPLATE_TEST_CASE("a process that is stopped at once has ended like that", "", on_processes,
                   on_threads) {
    const signs s;
    for (int i = 0; i < 10; ++i) {
        typename TestType::process p{&run_on, s.path("x")};
        p.start();
        i % 2 == 0 ? p.kill() : p.terminate();
        CHECK(p.join(patience));
        CHECK(p.exit_code() == (i % 2 == 0 ? -SIGKILL : -SIGTERM));
    }
}

namespace {

template <class Backend>
void start_three(const std::string& directory) {
    typename Backend::process p{[](const std::string& path) {
                                    std::this_thread::sleep_for(20ms);
                                    write_file(path, Backend::current().name() + " of " +
                                                         Backend::parent()->name());
                                },
                                directory + "/first"};
    p.start();
    typename Backend::process q{&write_file, directory + "/second",
                                std::to_string(Backend::children().size())};
    q.start();
    // Whose handle is gone, and which nobody but the end of this process waits for.
    auto* const leaked = new typename Backend::process{[](const std::string& path) {
                                                           std::this_thread::sleep_for(50ms);
                                                           raise_sign(path);
                                                       },
                                                       directory + "/third"};
    leaked->start();
    [[gnu::used]] static const auto* keep = leaked;
    static_cast<void>(keep);
}

} // namespace

TEMPLATE_TEST_CASE("a process has children of its own, and ends after them", "", on_processes,
                   on_threads) {
    const signs s;
    std::filesystem::create_directory(s.path("d"));
    typename TestType::process p{&start_three<TestType>, s.path("d")};
    p.start();
    p.join();
    CHECK(p.exit_code() == 0);
    CHECK(read_file(s.path("d/first")) == p.name() + ":1 of " + p.name());
    CHECK(read_file(s.path("d/second")) == "1");
    CHECK(sees_sign(s.path("d/third")));
}

// --- the form with a class ------------------------------------------------------------------------

namespace {

template <class Backend>
struct adder : Backend::template process_base<adder<Backend>> {
    std::string path;
    std::vector<int> numbers;
    std::unique_ptr<int> owned;
    int result = 0; // not named: stays 0 on the other side

    auto members() { return std::tie(path, numbers, owned); }
    void run() {
        for (const int n : numbers)
            result += n;
        write_file(path, std::to_string(result + *owned) + ' ' + this->name() + ' ' +
                             (this->pid() == ::getpid() ? "own" : "other") + ' ' +
                             (this->is_alive() ? "alive" : "dead"));
        const auto refused = [](auto&& call) {
            try {
                call();
                return false;
            } catch (const std::logic_error&) {
                return true;
            }
        };
        if (!refused([this] { this->join(); }) || !refused([this] { this->start(); }))
            throw std::runtime_error{"a process has joined or started itself"};
    }
};

template <class Backend>
struct stateless : Backend::template process_base<stateless<Backend>> {
    void run() { throw std::runtime_error{"stateless " + this->name()}; }
};

template <class Backend>
class with_constructor : public Backend::template process_base<with_constructor<Backend>> {
public:
    explicit with_constructor(std::string path = {})
        : Backend::template process_base<with_constructor>{{.name = "constructed", .daemon = true}},
          path_{std::move(path)} {}
    auto members() { return std::tie(path_); }
    void run() { write_file(path_, this->name() + (this->daemon() ? " daemon" : " -")); }

private:
    std::string path_;
};

} // namespace

TEMPLATE_TEST_CASE("a class with run() is a process whose named state travels", "", on_processes,
                   on_threads) {
    const signs s;
    adder<TestType> a;
    a.path = s.path("sum");
    a.numbers = {1, 2, 3};
    a.owned = std::make_unique<int>(4);
    a.result = 100;
    a.name("adder");
    a.start();
    a.join();
    CHECK(a.exit_code() == 0);
    CHECK(read_file(s.path("sum")) == "10 adder own alive");
    CHECK(a.result == 100);
    CHECK(a.numbers.size() == 3);
    CHECK(thrown<std::logic_error>([&] { a.start(); }));

    const captured_stderr err;
    stateless<TestType> none;
    none.name("nothing");
    none.start();
    none.join();
    CHECK(none.exit_code() == 1);
    CHECK_THAT(err.text(), ContainsSubstring("stateless nothing"));

    with_constructor<TestType> c{s.path("c")};
    CHECK(c.daemon());
    c.start();
    run(c.async_join(asio::use_awaitable));
    CHECK(read_file(s.path("c")) == "constructed daemon");

    adder<TestType> aggregate{{}, s.path("aggregate"), {1}, std::make_unique<int>(1)};
    aggregate.start();
    adder<TestType> moved{std::move(aggregate)};
    moved.join();
    CHECK(read_file(s.path("aggregate")).starts_with("2 process-"));
}

// --- arguments ------------------------------------------------------------------------------------

namespace {

/// Counts the objects in this process.
struct counted {
    static inline std::atomic<int> objects{0};
    int value = 0;

    explicit counted(int v = 0) : value{v} { ++objects; }
    counted(const counted& other) : value{other.value} { ++objects; }
    counted(counted&& other) noexcept : value{other.value} { ++objects; }
    counted& operator=(const counted&) = default;
    ~counted() { --objects; }
    auto members() { return std::tie(value); }
};

} // namespace

TEMPLATE_TEST_CASE("arguments are let go of once they are used, and with a process that never ran",
                   "", on_processes, on_threads) {
    const signs s;
    const int before = counted::objects;
    typename TestType::process p{[](const counted&, const std::string& entered,
                                    const std::string& leave) { hold(entered, leave); },
                                 counted{3}, s.path("entered"), s.path("leave")};
    CHECK(counted::objects == before + 1);
    p.start();
    if (!TestType::threads) CHECK(counted::objects == before);
    raise_sign(s.path("leave"));
    p.join();
    CHECK(counted::objects == before);
    {
        typename TestType::process never{[](const counted&) {}, counted{1}};
        CHECK(counted::objects == before + 1);
    }
    CHECK(counted::objects == before);
    typename TestType::process closed{[](const counted&) {}, counted{1}};
    closed.close();
    CHECK(counted::objects == before);
}

TEMPLATE_TEST_CASE("large arguments arrive", "", on_processes, on_threads) {
    const signs s;
    std::vector<double> numbers(1 << 20, 0.5);
    typename TestType::process p{[](const std::vector<double>& x, const std::string& path) {
                                     double sum = 0;
                                     for (const double each : x)
                                         sum += each;
                                     write_file(path, std::to_string(static_cast<int>(sum)));
                                 },
                                 numbers, s.path("sum")};
    p.start();
    p.join();
    CHECK(read_file(s.path("sum")) == "524288");
}

TEMPLATE_TEST_CASE("many processes at a time", "", on_processes, on_threads) {
    const signs s;
    std::vector<typename TestType::process> all;
    for (int i = 0; i < 30; ++i)
        all.emplace_back(&raise_sign, s.path("x" + std::to_string(i)));
    for (auto& each : all)
        each.start();
    for (auto& each : all)
        each.join();
    CHECK(std::ranges::all_of(all, [](const auto& each) { return each.exit_code() == 0; }));
    CHECK(s.count("x") == 30);
}

TEST_CASE("a thread takes captures, references and what nobody could serialise") {
    int seen = 0;
    std::mutex mutex;
    coproc::dummy::process p{[&seen, &mutex](int* other, std::function<int()> f) {
                                 const std::scoped_lock lock{mutex};
                                 seen = f();
                                 *other = seen + 1;
                             },
                             &seen, [] { return 41; }};
    p.start();
    p.join();
    CHECK(seen == 42);
}

TEST_CASE("a thread that was asked to stop and throws has thrown") {
    const captured_stderr err;
    gate entered;
    coproc::dummy::process p{[&] {
        entered.set();
        const auto stop = coproc::this_task::stop_token();
        while (!stop.stop_requested())
            std::this_thread::yield();
        throw std::runtime_error{"interrupted"};
    }};
    p.start();
    REQUIRE(entered.wait());
    p.terminate();
    p.join();
    CHECK(p.exit_code() == 1);
    CHECK_THAT(err.text(), ContainsSubstring("interrupted"));
}

TEST_CASE("in a pool's worker the current process is the worker") {
    coproc::pool_options options = on("process", 1);
    options.name = "cooks";
    coproc::pool processes{options};
    const auto there = processes.apply([] {
        const auto self = coproc::current_process();
        return std::tuple{self.name(), self.pid(), self.daemon(), coproc::parent_process()->name(),
                          coproc::parent_process()->pid()};
    });
    CHECK_THAT(std::get<0>(there), StartsWith("cooks"));
    CHECK(std::get<1>(there) != ::getpid());
    CHECK(std::get<2>(there));
    CHECK(std::get<3>(there) == "main");
    CHECK(std::get<4>(there) == ::getpid());

    coproc::dummy::pool threads{options};
    CHECK_THAT(threads.apply([] { return coproc::dummy::current_process().name(); }),
               StartsWith("cooks"));
    CHECK(threads.apply([] { return coproc::dummy::parent_process()->name(); }) == "main");
}

TEST_CASE("a task of a pool may start processes") {
    coproc::pool pool{on("process", 2)};
    const auto codes = pool.map(
        [](int code) {
            coproc::process p{[](int c) { std::exit(c); }, code};
            p.start();
            p.join();
            return p.exit_code().value();
        },
        {0, 1, 2, 3});
    CHECK(codes == std::vector<int>{0, 1, 2, 3});
}
