// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Pipes between processes: when they end, what travels in them, what happens without memory or
// descriptors. What a pipe does at all is tested in tests/nouns/pipe_test.cpp.

#include <coproc/pipe.hpp>

#include "forked.hpp"
#include "pools.hpp"
#include "support/sanitized.hpp"

#include <coproc/mutex.hpp>
#include <coproc/queue.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <filesystem>
#include <numeric>
#include <sys/resource.h>

using namespace coproc_test;

namespace {

using numbers = coproc::connection<int>;
using texts = coproc::connection<std::string>;

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"},
                         std::filesystem::directory_iterator{});
}

int count_down(numbers from) {
    int n = 0;
    try {
        for (;; ++n)
            static_cast<void>(from.recv());
    } catch (const coproc::end_of_stream_error&) {
        return n;
    }
}

} // namespace

TEST_CASE("both ends of a pipe in workers, which outlive the handles of the maker") {
    const auto start = GENERATE(coproc::start_method::spawn, coproc::start_method::forkserver,
                                coproc::start_method::fork);
    auto [a, b] = coproc::pipe<int>();
    coproc::pool_options options = on("process", 2);
    options.start = start;
    coproc::pool pool{options};
    auto sent = pool.apply_async(
        [](numbers to) {
            for (int i = 0; i != 10'000; ++i)
                to.send(i);
        },
        a);
    auto received = pool.apply_async(&count_down, b);
    a.close();
    b.close();
    CHECK(received.get(patience) == 10'000);
    sent.get(patience);
}

TEST_CASE("a worker that was forked keeps no end open that it was not given") {
    auto [a, b] = coproc::pipe<int>();
    coproc::pool_options options = on("process", 1);
    options.start = coproc::start_method::fork;
    coproc::pool pool{options};
    CHECK(pool.apply([](int x) { return x; }, 1) == 1);
    b.close();
    CHECK_THROWS_AS(a.send(1, patience), coproc::end_of_stream_error);
}

TEST_CASE("a pipe ends when the last holder of the other end is gone, however it went") {
    if (thread_sanitized) return;
    auto [here, there] = coproc::pipe<int>();
    const auto how = GENERATE(0, 1, 2, 3, 4);
    CAPTURE(how);
    auto [ready, told] = coproc::pipe<int>();
    forked other{[how, &near = here, &far = there, &bell = ready] {
        near.close();
        far.send(1);
        if (how == 0) far.close();
        bell.send(1);
        if (how == 1) throw std::runtime_error{"ends"};
        if (how == 2) ::raise(SIGKILL);
        if (how == 3) {
            ::signal(SIGSEGV, SIG_DFL);
            ::raise(SIGSEGV);
        }
        if (how == 4) {
            const auto copy = far;
            far.close();
            ::_exit(0);
        }
        for (;;)
            ::pause();
    }};
    there.close();
    // Asleep or not.
    CHECK(here.recv(patience) == 1);
    CHECK_THROWS_AS(here.recv(patience), coproc::end_of_stream_error);
    CHECK_THROWS_AS(here.send(2, patience), coproc::end_of_stream_error);
    CHECK(here.poll());
    CHECK(here.poll(patience));
}

TEST_CASE("a sender that waits for room learns that the other end is gone") {
    auto [here, there] = coproc::pipe<std::string>();
    const std::string block(10'000, 'x');
    SECTION("from its closing") {
        std::thread closer{[&, &end = there] {
            CHECK(eventually([&] { return end.poll(); }));
            end.close();
        }};
        const auto flood = [&, &from = here] {
            for (;;)
                from.send(block, patience);
        };
        CHECK_THROWS_AS(flood(), coproc::end_of_stream_error);
        closer.join();
    }
    SECTION("from its death") {
        forked other{[&, &mine = here] {
            mine.close();
            for (;;)
                ::pause();
        }};
        there.close();
        int n = 0;
        try {
            for (;; ++n)
                here.send(block, n < 200 ? coproc::duration{0s} : coproc::duration{patience});
        } catch (const coproc::timeout_error&) {
            CHECK(n > 90); // about a MiB
        }
        std::thread killer{[&] { other.kill(); }};
        CHECK_THROWS_AS(here.send(block, patience), coproc::end_of_stream_error);
        killer.join();
    }
}

TEST_CASE("an end on its way is held by the message it is in") {
    auto [outer, far] = coproc::pipe<texts>();
    auto [here, there] = coproc::pipe<std::string>();
    outer.send(there);
    there.close();
    CHECK_FALSE(here.poll());
    here.send("to whom it may concern");
    SECTION("and arrives") {
        auto arrived = far.recv();
        CHECK(arrived.recv() == "to whom it may concern");
        arrived.close();
    }
    SECTION("and is dropped with the pipe") {
        outer.close();
        far.close();
    }
    CHECK_THROWS_AS(here.recv(patience), coproc::end_of_stream_error);
    CHECK_THROWS_AS(here.send("x", patience), coproc::end_of_stream_error);
}

TEST_CASE("an end in a message that the other process never reads, and dies") {
    auto [outer, far] = coproc::pipe<texts>();
    auto [here, there] = coproc::pipe<std::string>();
    forked sender{[&, &mine = here, &its = there, &to = outer, &far_end = far] {
        mine.close();
        far_end.close();
        to.send(its);
        ::raise(SIGKILL);
    }};
    there.close();
    sender.wait();
    CHECK_FALSE(here.poll());
    outer.close();
    static_cast<void>(far.recv(patience));
    CHECK_THROWS_AS(here.recv(patience), coproc::end_of_stream_error);
}

TEST_CASE("messages of a pipe carry handles of all kinds, its own ends too") {
    struct parcel {
        coproc::mutex mutex;
        coproc::queue<int> queue;
        std::vector<numbers> ends;
    };
    auto [here, there] = coproc::pipe<parcel>();
    auto [a, b] = coproc::pipe<int>();
    coproc::pool pool{1};
    auto done = pool.apply_async(
        [](coproc::connection<parcel> from) {
            auto p = from.recv();
            p.mutex.lock();
            p.queue.put(42);
            for (std::size_t i = 0; i != p.ends.size(); ++i)
                p.ends[i].send(static_cast<int>(i));
            p.mutex.unlock();
        },
        there);
    const parcel sent{{}, {}, std::vector<numbers>(60, b)};
    here.send(sent);
    done.get(patience);
    CHECK(sent.queue.get(patience) == 42);
    for (int i = 0; i != 60; ++i)
        CHECK(a.recv(patience) == i);
    CHECK(sent.mutex.try_lock());
}

TEST_CASE("more handles than fit into a message are refused, and nothing is sent") {
    auto [here, there] = coproc::pipe<std::vector<coproc::mutex>>();
    const std::vector<coproc::mutex> many(251);
    CHECK_THROWS_AS(here.send(many), coproc::serialization_error);
    CHECK_FALSE(there.poll());
}

TEST_CASE("100 MB both ways at the same time") {
    constexpr std::size_t size = 100'000'000;
    auto [here, there] = coproc::pipe<std::string>();
    coproc::pool pool{1};
    auto other = pool.apply_async(
        [](texts end) {
            end.send(std::string(size, 'y'));
            return end.recv().size();
        },
        there);
    here.send(std::string(size, 'x'));
    const std::string got = here.recv(patience);
    CHECK(got.size() == size);
    CHECK(got.back() == 'y');
    CHECK(other.get(patience) == size);
}

TEST_CASE("without descriptors left, a message with a handle stays in the pipe") {
    auto [here, there] = coproc::pipe<coproc::mutex>();
    const coproc::mutex mutex;
    here.send(mutex);
    CHECK(there.poll());
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{static_cast<rlim_t>(3), limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    CHECK_THROWS_AS(there.recv(), std::system_error);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(there.recv().try_lock());
    CHECK_FALSE(mutex.try_lock());
}

TEST_CASE("asynchronous receives of another process end with the stream") {
    auto [here, there] = coproc::pipe<int>();
    forked other{[&, &mine = here, &its = there] {
        mine.close();
        for (int i = 0; i != 100; ++i)
            its.send(i);
        ::raise(SIGKILL);
    }};
    there.close();
    asio::io_context context;
    int sum = 0;
    bool ended = false;
    asio::co_spawn(
        context,
        [&, end = here]() -> asio::awaitable<void> {
            try {
                for (;;) {
                    const int n = co_await end.async_recv(asio::use_awaitable);
                    sum += n;
                }
            } catch (const coproc::end_of_stream_error&) {
                ended = true;
            }
        },
        asio::detached);
    here.close();
    context.run_for(patience);
    CHECK(sum == 4950);
    CHECK(ended);
}

TEST_CASE("asynchronous receives that are cancelled while they wait lose nothing") {
    auto [here, there] = coproc::pipe<int>();
    asio::io_context context;
    for (int i = 0; i != 50; ++i) {
        asio::cancellation_signal signal;
        bool cancelled = false;
        there.async_recv(asio::bind_cancellation_slot(
            signal.slot(), asio::bind_executor(context, [&](std::exception_ptr e, int) {
                try {
                    if (e) std::rethrow_exception(e);
                } catch (const coproc::cancelled_error&) {
                    cancelled = true;
                }
            })));
        signal.emit(asio::cancellation_type::terminal);
        context.restart();
        context.run_for(patience);
        CHECK(cancelled);
        here.send(i);
        CHECK(there.recv(patience) == i);
    }
}

TEST_CASE("a handle of a pipe arrives as what it was sent as, or not at all") {
    auto [here, there] = coproc::pipe<int, std::string>();
    coproc::pool pool{1};
    // The first end sends numbers; as the second it would not.
    auto right =
        pool.apply_async([](coproc::connection<int, std::string> end) { end.send(1); }, here);
    right.get(patience);
    CHECK(there.recv(patience) == 1);
    auto empty = pool.apply_async([](numbers end) { end.send(1); }, numbers{});
    CHECK_THROWS_AS(empty.get(patience), std::logic_error);
}

TEST_CASE("a small message is whole, though the next ones follow while it is read") {
    struct twice {
        std::uint64_t once;
        std::uint64_t again;
        std::uint64_t and_again;
    };
    constexpr std::uint64_t messages = coproc_test::sanitized ? 20'000 : 200'000;
    auto [in, out] = coproc::pipe<twice>();
    coproc::pool pool{on("process", 1)};
    auto sent = pool.apply_async(
        [](coproc::connection<twice> to) {
            for (std::uint64_t n = 0; n != messages; ++n)
                to.send({n, n, n});
        },
        in);
    std::uint64_t wrong = 0;
    for (std::uint64_t n = 0; n != messages; ++n) {
        const twice m = out.recv(patience);
        wrong += m.once == n && m.again == n && m.and_again == n ? 0 : 1;
    }
    CHECK(wrong == 0);
    sent.get(patience);
}

TEST_CASE("a message that is put back comes again, not the one that had its place last") {
    using namespace coproc::detail;
    auto [in, out] = byte_connection::make(pipe_types::of<int, int>());
    const auto message = [](const int& value) {
        return element_source{sizeof value, 0, &value, [](const void* from, writer& w) {
                                  w.raw(*static_cast<const int*>(from));
                              }};
    };
    const auto received = [&, &from = out] {
        int value = 0;
        REQUIRE(from.recv([&](reader& r) { value = r.raw<int>(); }, byte_queue::now()));
        return value;
    };
    const int first = 1;
    const int second = 2;
    in.send(message(first), {});
    in.send(message(second), {});
    CHECK(received() == 1);
    CHECK(received() == 2);
    REQUIRE(out.put_back(message(first)));
    CHECK(received() == 1);
    in.send(message(second), {});
    CHECK(received() == 2);
}

TEST_CASE("many pipes leave nothing behind") {
    {
        auto [a, b] = coproc::pipe<int>(); // the threads that live on
        std::thread waits{[&, &end = b] { CHECK(end.recv(patience) == 1); }};
        a.send(1);
        waits.join();
        CHECK_FALSE(b.poll(coproc::duration{1ms}));
    }
    const auto before = open_descriptors();
    for (int i = 0; i != 500; ++i) {
        auto [a, b] = coproc::pipe<std::string>();
        a.send(std::string(i % 3 == 0 ? 200'000 : 10, 'x'));
        CHECK_FALSE(a.poll(coproc::duration{0ns}));
        if (i % 2 == 0) CHECK(b.recv().size() >= 10);
    }
    CHECK(open_descriptors() == before);
}
