// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <optional>
#include <string>
#include <thread>

using namespace coproc_test;

namespace {

/// For other threads: Catch2's assertions are for one at a time.
template <class Call>
bool sees_the_end(Call&& call) {
    try {
        std::forward<Call>(call)();
        return false;
    } catch (const coproc::end_of_stream_error&) {
        return true;
    }
}

} // namespace

TEMPLATE_TEST_CASE("pipe: both ways, each in its order", "", PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<int>();
    for (int i = 0; i < 100; ++i) {
        a.send(i);
        b.send(-i, 1h);
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(b.recv() == i);
        CHECK(a.recv(1h) == -i);
    }
    CHECK_THROWS_AS(a.recv(0s), coproc::timeout_error);
    CHECK_THROWS_AS(b.recv(-1s), coproc::timeout_error);
    const auto late = thrown<coproc::timeout_error>([&, end = b] { end.recv(1ms); });
    REQUIRE(late);
    CHECK(late->kind() == coproc::timeout_kind::waiting);
}

TEMPLATE_TEST_CASE("pipe: a type for each direction, message boundaries, any size", "",
                   PIPE_VOCABULARIES) {
    auto [client, server] = TestType::template pipe<std::string, std::vector<int>>();
    typename TestType::template connection<std::string, std::vector<int>> c = client;
    typename TestType::template connection<std::vector<int>, std::string> s = server;
    std::thread answering{[s] {
        for (int i = 0; i < 3; ++i)
            s.send(std::vector<int>(s.recv().size(), i));
    }};
    c.send("");
    c.send("abc");
    c.send(std::string(500'000, 'x'));
    CHECK(c.recv().empty());
    CHECK(c.recv() == std::vector<int>{1, 1, 1});
    CHECK(c.recv() == std::vector<int>(500'000, 2));
    answering.join();
}

TEMPLATE_TEST_CASE("pipe: messages of all small sizes, one by one and many", "",
                   PIPE_VOCABULARIES) {
    auto [in, out] = TestType::template pipe<std::string>();
    const auto text = [](std::size_t size) {
        return std::string(size, static_cast<char>('a' + size % 26));
    };
    constexpr std::size_t sizes = 80;
    for (std::size_t n = 0; n != sizes; ++n) {
        in.send(text(n));
        CHECK(out.recv() == text(n));
    }
    for (std::size_t n = 0; n != sizes; ++n)
        in.send(text(n));
    for (std::size_t n = 0; n != sizes; ++n)
        CHECK(out.recv() == text(n));
    CHECK_FALSE(out.poll());
}

TEMPLATE_TEST_CASE("pipe: poll", "", PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<int>();
    CHECK_FALSE(b.poll());
    CHECK_FALSE(b.poll(0s));
    CHECK_FALSE(b.poll(1ms));
    a.send(1);
    CHECK(b.poll(patience));
    CHECK(b.poll());
    CHECK_FALSE(a.poll());
    CHECK(b.recv() == 1);
    CHECK_FALSE(b.poll());
    std::thread sending{[end = a] { end.send(2); }};
    CHECK(b.poll(patience));
    CHECK(b.recv() == 2);
    sending.join();
    std::thread closing{[end = std::exchange(a, {})]() mutable { end.close(); }};
    CHECK(b.poll(patience)); // the end is something to be told, too
    CHECK_THROWS_AS(b.recv(), coproc::end_of_stream_error);
    closing.join();
}

TEMPLATE_TEST_CASE("pipe: the stream ends with the last handle of the other end", "",
                   PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<int>();
    auto copy = a;
    a.send(1);
    a.close();
    CHECK(b.recv() == 1);
    CHECK_FALSE(b.poll());
    copy.send(2);
    copy.send(3);
    copy = {};
    CHECK(b.recv() == 2); // what was sent is received
    CHECK(b.poll());
    CHECK(b.recv(0s) == 3);
    CHECK(b.poll());
    CHECK_THROWS_AS(b.recv(), coproc::end_of_stream_error);
    CHECK_THROWS_AS(b.recv(1h), coproc::end_of_stream_error);
    CHECK_THROWS_AS(b.send(4), coproc::end_of_stream_error);
    CHECK_THROWS_AS(b.send(4, 1h), coproc::end_of_stream_error);
    event_loop context;
    watched<int> got{context};
    watched sent{context};
    b.async_recv(got.token());
    b.async_send(5, sent.token());
    CHECK_THROWS_AS(got.get(), coproc::end_of_stream_error);
    CHECK_THROWS_AS(sent.get(), coproc::end_of_stream_error);
}

TEMPLATE_TEST_CASE("pipe: a closed handle", "", PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<int>();
    a.close();
    a.close();
    CHECK_THROWS_AS(a.send(1), std::logic_error);
    CHECK_THROWS_AS(a.recv(), std::logic_error);
    CHECK_THROWS_AS(a.poll(), std::logic_error);
    typename TestType::template connection<int> none;
    CHECK_THROWS_AS(none.send(1), std::logic_error);
    none.close();
    none = b;
    CHECK_THROWS_AS(none.recv(1h), coproc::end_of_stream_error);
}

TEMPLATE_TEST_CASE("pipe: it is bounded, so a sender waits, and is told when the receiver goes", "",
                   PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<int>();
    int sent = 0;
    const auto fill = [&, end = a] {
        for (;; ++sent)
            end.send(sent, 0s);
    };
    CHECK_THROWS_AS(fill(), coproc::timeout_error);
    REQUIRE(sent > 0);
    event_loop context;
    watched waits{context};
    a.async_send(sent, waits.token());
    CHECK_FALSE(waits.done());
    int wrong = 0;
    for (int i = 0; i <= sent; ++i)
        wrong += b.recv(patience) == i ? 0 : 1;
    CHECK(wrong == 0);
    waits.get();
    CHECK_FALSE(b.poll());

    sent = 0;
    CHECK_THROWS_AS(fill(), coproc::timeout_error);
    watched cut{context};
    a.async_send(sent, cut.token());
    auto blocked =
        std::async(std::launch::async, [end = a] { return sees_the_end([&] { end.send(1); }); });
    b.close();
    CHECK_THROWS_AS(cut.get(), coproc::end_of_stream_error);
    CHECK(blocked.get());
}

TEMPLATE_TEST_CASE("pipe: the receiver is told when the last sender goes", "", PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<int>();
    event_loop context;
    watched<int> got{context};
    b.async_recv(got.token());
    CHECK_FALSE(got.done());
    auto blocked =
        std::async(std::launch::async, [end = b] { return sees_the_end([&] { end.recv(); }); });
    a.close();
    CHECK_THROWS_AS(got.get(), coproc::end_of_stream_error);
    CHECK(blocked.get());
}

TEMPLATE_TEST_CASE("pipe: asynchronous receivers take turns, a cancelled one takes nothing", "",
                   PIPE_VOCABULARIES) {
    auto [a, b] = TestType::template pipe<std::string>();
    event_loop context;
    watched<std::string> first{context};
    watched<std::string> second{context};
    watched<std::string> third{context};
    b.async_recv(first.token());
    b.async_recv(second.token());
    b.async_recv(third.token());
    second.cancel();
    CHECK_THROWS_AS(second.get(), coproc::cancelled_error);
    watched sent{context};
    a.async_send("x", sent.token());
    sent.get();
    CHECK(first.get() == "x");
    CHECK_FALSE(third.done());
    a.send("y");
    third.cancel();
    std::string got;
    try {
        got = third.get();
    } catch (const coproc::cancelled_error&) {
        got = b.recv(patience);
    }
    CHECK(got == "y");
    CHECK_FALSE(b.poll());
}

TEMPLATE_TEST_CASE("pipe: another party talks back, until its end goes with it", "",
                   PIPE_VOCABULARIES) {
    auto [here, there] = TestType::template pipe<int, std::string>();
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](typename TestType::template connection<std::string, int> end) {
            int n = 0;
            try {
                for (;; ++n)
                    end.send(std::to_string(end.recv()));
            } catch (const coproc::end_of_stream_error&) {
                return n;
            }
        },
        std::exchange(there, {}));
    for (int i = 0; i < 300; ++i) {
        here.send(i);
        REQUIRE(here.recv(patience) == std::to_string(i));
    }
    const auto talk =
        [](typename TestType::template connection<int, std::string> end) -> asio::awaitable<int> {
        int right = 0;
        for (int i = 0; i < 300; ++i) {
            co_await end.async_send(i);
            auto text = co_await end.async_recv();
            right += text == std::to_string(i) ? 1 : 0;
        }
        co_return right;
    };
    CHECK(run(talk(here)) == 300);
    here.close();
    CHECK(result_of(other) == 600);
}

TEMPLATE_TEST_CASE("pipe: ends travel through pipes and queues", "", PIPE_VOCABULARIES) {
    using end = typename TestType::template connection<int>;
    const typename TestType::template queue<end> ends;
    auto [outer_a, outer_b] = TestType::template pipe<end>();
    {
        auto [a, b] = TestType::template pipe<int>();
        ends.put(a);
        outer_a.send(b);
    }
    {
        const auto a = ends.get();
        const auto b = outer_b.recv();
        a.send(7);
        CHECK(b.recv() == 7);
        b.send(8);
        CHECK(a.recv() == 8);
        outer_a.send(b);
    }
    const auto b = outer_b.recv();
    CHECK_THROWS_AS(b.recv(patience), coproc::end_of_stream_error);
}

TEMPLATE_TEST_CASE("pipe: nothing is lost between senders and receivers in a hurry", "",
                   PIPE_VOCABULARIES) {
    const auto seed = GENERATE(1U, 2U, 3U);
    CAPTURE(seed);
    constexpr std::uint32_t senders = 2;
    constexpr std::uint32_t items = 500;
    auto [in, out] = TestType::template pipe<std::uint32_t>();
    typename TestType::crew crew{senders + 1};
    using end = typename TestType::template connection<std::uint32_t>;
    std::vector<coproc::async_result<std::uint64_t>> others;
    for (std::uint32_t s = 0; s < senders; ++s)
        others.push_back(crew.apply_async(
            [](end to, std::uint32_t number) {
                for (std::uint32_t k = 0; k < items; ++k)
                    to.send(number * items + k);
                return std::uint64_t{0};
            },
            in, s));
    in.close();
    others.push_back(crew.apply_async(
        [](end from, std::uint32_t own_seed) {
            std::uint64_t sum = 0;
            for (std::uint32_t k = 0;; ++k) {
                try {
                    if (mixed(own_seed, k) % 2 == 0 && !from.poll(10us)) continue;
                    sum += from.recv(20us);
                } catch (const coproc::timeout_error&) {
                } catch (const coproc::end_of_stream_error&) {
                    return sum;
                }
            }
        },
        out, mixed(seed, 1)));
    std::uint64_t sum = 0;
    const auto receive = [](end from, std::uint32_t own_seed,
                            std::uint64_t& total) -> asio::awaitable<void> {
        try {
            for (std::uint32_t k = 0;; ++k) {
                const std::chrono::microseconds time{mixed(own_seed, k) % 100};
                auto x = co_await within<std::uint32_t>(time, from.async_recv());
                if (x) total += *x;
            }
        } catch (const coproc::end_of_stream_error&) {}
    };
    event_loop context;
    asio::co_spawn(context, receive(out, mixed(seed, 2), sum), asio::detached);
    context.run_for(patience);
    CHECK(context.stopped());
    for (auto& other : others)
        sum += result_of(other);
    const std::uint64_t all = senders * items;
    CHECK(sum == all * (all - 1) / 2);
}
