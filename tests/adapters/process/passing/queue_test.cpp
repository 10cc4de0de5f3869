// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Queues between processes: what happens when one of them dies, when memory or descriptors run out,
// when an element cannot be encoded or decoded. What a queue does at all is tested in
// tests/nouns/queue_test.cpp.

#include <coproc/queue.hpp>

#include "forked.hpp"
#include "pools.hpp"

#include <coproc/joinable_queue.hpp>
#include <coproc/mutex.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <vector>

using namespace coproc_test;

namespace {

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"},
                         std::filesystem::directory_iterator{});
}

/// Bytes that all objects in shared memory of this process take.
std::uint64_t shared_bytes() {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (!target.starts_with("/memfd:coproc")) continue;
        struct stat status{};
        if (::stat(entry.path().c_str(), &status) == 0)
            sum += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return sum;
}

struct piece {
    int producer = 0;
    std::uint32_t number = 0;
    std::string ballast = {};
};

constexpr int most_producers = 512;
constexpr std::uint32_t most_pieces = 1 << 16;

struct ledger {
    std::array<std::atomic<std::uint32_t>, most_producers> put;
    std::array<std::array<std::atomic<std::uint8_t>, most_pieces>, most_producers> got;
    std::atomic<std::uint64_t> sum;
};

} // namespace

TEST_CASE("a queue loses nothing of the survivors and doubles nothing, whoever is killed when",
          "[kill]") {
    const unsigned seed = GENERATE(1u, 2u);
    const std::size_t maxsize = seed == 1 ? 0 : 20;
    CAPTURE(seed, maxsize);
    std::mt19937 random{seed};

    const coproc::queue<piece> queue{maxsize};
    const in_common<ledger> book;
    int producers = 0;
    const auto produce = [&] {
        const int self = producers++;
        return forked{[&, self] {
            std::mt19937 sizes{static_cast<unsigned>(self)};
            for (std::uint32_t i = 0; i != most_pieces; ++i) {
                const std::size_t size = sizes() % 16 == 0 ? 3000 + sizes() % 20'000 : sizes() % 64;
                queue.put({self, i, std::string(size, 'x')});
                book->put[static_cast<std::size_t>(self)].store(i + 1);
            }
            for (;;)
                ::pause();
        }};
    };
    const auto consume = [&] {
        return forked{[&] {
            for (;;) {
                const auto p = queue.get();
                book->got[static_cast<std::size_t>(p.producer)][p.number].fetch_add(1);
            }
        }};
    };

    std::array<forked, 2> makers{produce(), produce()};
    std::array<forked, 2> takers{consume(), consume()};
    int dead_takers = 0;
    for (int kills = 0; kills != 400; ++kills) {
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 2000});
        const std::size_t which = random() % 2;
        if (random() % 2 == 0) {
            makers[which].kill();
            makers[which] = produce();
        } else {
            takers[which].kill();
            takers[which] = consume();
            ++dead_takers;
        }
    }
    for (forked& maker : makers)
        maker.kill();
    REQUIRE(eventually([&] { return queue.empty(); }));
    // What the last consumers have got is written down soon.
    const auto missing = [&] {
        std::int64_t n = 0;
        for (std::size_t p = 0; p != static_cast<std::size_t>(producers); ++p)
            for (std::uint32_t i = 0; i != book->put[p]; ++i)
                n += book->got[p][i] == 0 ? 1 : 0;
        return n;
    };
    // An element may be lost only with the consumer that had got it.
    CHECK(eventually([&] { return missing() <= dead_takers; }));
    int doubled = 0;
    for (std::size_t p = 0; p != static_cast<std::size_t>(producers); ++p)
        for (std::uint32_t i = 0; i != most_pieces; ++i)
            doubled += book->got[p][i] > 1 ? 1 : 0;
    CHECK(doubled == 0);

    // And it works on.
    for (forked& taker : takers)
        taker.kill();
    queue.put({0, 1, "alive"});
    CHECK(queue.get(patience).ballast == "alive");
}

TEST_CASE("the memory of large elements comes back, also of those whose writer or reader died") {
    const coproc::queue<std::string> queue;
    constexpr std::size_t size = 20 << 20;
    for (int i = 0; i != 6; ++i) {
        forked writer{[&] {
            for (;;)
                if (queue.size() < 2) queue.put(std::string(size, 'w'));
        }};
        forked reader{[&] {
            for (;;)
                static_cast<void>(queue.get());
        }};
        std::this_thread::sleep_for(std::chrono::milliseconds{30 + 7 * i});
        writer.kill();
        reader.kill();
    }
    while (queue.try_get()) {}
    // What is kept for reuse is bounded, and so is what lies in the queue.
    CHECK(shared_bytes() < 160u << 20);
    queue.put(std::string(size, 'y'));
    CHECK(queue.get(patience) == std::string(size, 'y'));
}

TEST_CASE("what a consumer had got and not done when it died counts as done") {
    const coproc::joinable_queue<int> queue;
    for (int i = 0; i != 5; ++i)
        queue.put(i);
    const in_common<std::atomic<int>> got;
    forked consumer{[&] {
        for (int i = 0; i != 3; ++i) {
            static_cast<void>(queue.get());
            ++*got;
        }
        queue.task_done();
        ++*got;
        for (;;)
            ::pause();
    }};
    REQUIRE(eventually([&] { return *got == 4; }));
    std::thread killer{[&] {
        static_cast<void>(queue.get());
        queue.task_done();
        static_cast<void>(queue.get());
        queue.task_done();
        consumer.kill();
    }};
    CHECK(queue.join(patience));
    killer.join();
    CHECK_THROWS_AS(queue.task_done(), std::logic_error);
}

TEST_CASE("a consumer that dies with a wake-up in its hands leaves the element to the others") {
    const coproc::queue<int> queue;
    for (int round = 0; round != 60; ++round) {
        forked first{[&] { static_cast<void>(queue.get()); }};
        forked second{[&] { static_cast<void>(queue.get()); }};
        std::this_thread::sleep_for(std::chrono::microseconds{200 * (round % 10)});
        queue.put(1);
        first.kill();
        queue.put(2);
        queue.put(3);
        // Two elements at least are left for the one who is.
        CHECK(second.wait() == 0);
        while (queue.try_get()) {}
    }
}

TEST_CASE("a queue survives its maker, and so do handles in it") {
    coproc::pool pool{1};
    const auto made = pool.apply([] {
        const coproc::queue<coproc::queue<int>> outer;
        const coproc::queue<int> inner;
        inner.put(7);
        outer.put(inner);
        return outer;
    });
    pool.terminate();
    pool.join();
    const auto inner = made.get(patience);
    CHECK(inner.get(patience) == 7);
    CHECK(made.empty());
}

TEST_CASE("elements with handles wait for room where the system has none") {
    const coproc::queue<std::pair<int, coproc::mutex>> queue;
    constexpr int many = 1500; // more than a socket takes
    const coproc::mutex mutex;
    forked producer{[&] {
        for (int i = 0; i != many; ++i)
            queue.put({i, mutex});
    }};
    for (int i = 0; i != many; ++i) {
        const auto [number, handle] = queue.get(patience);
        if (number != i) FAIL("element " << i << " is " << number);
        if (i % 500 == 0) {
            mutex.lock();
            CHECK_FALSE(handle.try_lock()); // the same one
            mutex.unlock();
        }
    }
    CHECK(producer.wait() == 0);
}

TEST_CASE("without descriptors left, an element with a handle stays in the queue") {
    const coproc::queue<coproc::queue<int>> queue;
    queue.put(coproc::queue<int>{});
    rlimit former{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &former) == 0);
    rlimit tight = former;
    const int next = ::dup(0); // all below are taken
    ::close(next);
    tight.rlim_cur = static_cast<rlim_t>(next);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    std::exception_ptr refusal;
    try {
        static_cast<void>(queue.get());
    } catch (...) {
        refusal = std::current_exception(); // sanitizers need descriptors to look at it
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &former) == 0);
    REQUIRE(refusal != nullptr);
    const auto e = thrown<std::system_error>([&] { std::rethrow_exception(refusal); });
    REQUIRE(e);
    CHECK(e->code().value() == EMFILE);
    CHECK(queue.size() == 1);
    const auto inner = queue.get(patience);
    inner.put(1);
    CHECK(inner.size() == 1);
}

namespace {

struct moody {
    int value = 0;
};

} // namespace

template <>
struct coproc::codec<moody> {
    using parts = coproc::detail::types<>;
    static void size(coproc::detail::sizer& s, const moody& m) {
        if (m.value == -1) throw std::runtime_error{"no size today"};
        s.bytes(m.value == -3 ? std::size_t{1} << 46 : sizeof(int));
    }
    static void encode(coproc::detail::writer& w, const moody& m) {
        if (m.value == -2) throw std::runtime_error{"no words today"};
        w.raw(m.value);
    }
    static moody decode(coproc::detail::reader& r) {
        const int value = r.raw<int>();
        if (value == 13) throw std::runtime_error{"not that number"};
        return {value};
    }
};

TEST_CASE("an element that cannot be encoded leaves the queue as it is") {
    const coproc::queue<moody> queue{2};
    for (int round = 0; round != 3; ++round) {
        CHECK_THROWS_WITH(queue.put({-1}), "no size today");
        CHECK_THROWS_WITH(queue.put({-2}), "no words today");
        const auto e = thrown<std::system_error>([&] { queue.put({-3}); });
        REQUIRE(e);
        CHECK(e->code().value() == ENOMEM);
        CHECK(queue.empty());
    }
    queue.put({4});
    CHECK(queue.get(patience).value == 4);
}

TEST_CASE("an element that cannot be decoded is its consumer's error, and the next one comes") {
    const coproc::joinable_queue<moody> queue;
    queue.put({13});
    queue.put({14});
    CHECK_THROWS_WITH(queue.get(), "not that number");
    CHECK(queue.get(patience).value == 14);
    queue.task_done();
    queue.task_done();
    CHECK(queue.join(patience));
}

namespace {

class carried final : public coproc::detail::descriptor_source {
public:
    explicit carried(const std::vector<int>& numbers) : numbers_{numbers} {}
    int take_descriptor() override { return ::dup(numbers_.at(next_++)); }

private:
    std::vector<int> numbers_;
    std::size_t next_ = 0;
};

template <class To, class From>
To resend(const From& handle) {
    coproc::detail::sizer s;
    coproc::detail::size(s, handle);
    std::vector<std::byte> bytes(s.size());
    std::vector<int> descriptors;
    coproc::detail::writer w{bytes, &descriptors};
    coproc::detail::encode(w, handle);
    carried source{descriptors};
    coproc::detail::reader r{bytes, &source};
    return coproc::detail::decode<To>(r);
}

} // namespace

TEST_CASE("a handle arrives as what it was sent as, or not at all") {
    const coproc::queue<int> queue;
    const auto again = resend<coproc::queue<int>>(queue);
    again.put(5);
    CHECK(queue.get(patience) == 5);
    CHECK_THROWS_AS((resend<coproc::queue<double>>(queue)), coproc::serialization_error);
    CHECK_THROWS_AS((resend<coproc::joinable_queue<int>>(queue)), coproc::serialization_error);
    CHECK_THROWS_AS((resend<coproc::mutex>(coproc::mutex{}), resend<coproc::queue<int>>(queue),
                     resend<coproc::queue<coproc::mutex>>(queue)),
                    coproc::serialization_error);
}

TEST_CASE("closing a queue ends the waits of other processes") {
    const coproc::queue<int> queue{1};
    queue.put(1);
    const in_common<std::array<std::atomic<int>, 2>> outcome;
    forked producer{[&] {
        try {
            queue.put(2);
            (*outcome)[0] = 1;
        } catch (const coproc::queue_closed_error&) {
            (*outcome)[0] = 2;
        }
    }};
    const coproc::queue<int> empty;
    forked consumer{[&] {
        try {
            static_cast<void>(empty.get());
            (*outcome)[1] = 1;
        } catch (const coproc::queue_closed_error&) {
            (*outcome)[1] = 2;
        }
    }};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    queue.close();
    empty.close();
    CHECK(producer.wait() == 0);
    CHECK(consumer.wait() == 0);
    CHECK((*outcome)[0] == 2);
    CHECK((*outcome)[1] == 2);
    CHECK(queue.get() == 1);
    CHECK_THROWS_AS(queue.get(), coproc::queue_closed_error);
}

TEST_CASE("asynchronous gets that are cancelled lose nothing") {
    const coproc::queue<int> queue;
    constexpr int many = 3000;
    forked producer{[&] {
        for (int i = 1; i <= many; ++i) {
            queue.put(i);
            if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds{50});
        }
    }};
    asio::io_context context;
    std::int64_t sum = 0;
    int last = 0;
    int cancelled = 0;
    std::mt19937 random{3};
    while (last != many) {
        asio::cancellation_signal stop;
        bool ended = false;
        auto handler =
            asio::bind_cancellation_slot(stop.slot(), [&](const std::exception_ptr& e, int value) {
                ended = true;
                if (e) {
                    ++cancelled;
                    return;
                }
                sum += value;
                if (value != last + 1) FAIL_CHECK("got " << value << " after " << last);
                last = value;
            });
        queue.async_get(asio::bind_executor(context, std::move(handler)));
        if (random() % 2 == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 60});
            stop.emit(asio::cancellation_type::all);
        }
        context.restart();
        while (!ended)
            context.run_one_for(patience);
    }
    CHECK(sum == std::int64_t{many} * (many + 1) / 2);
    CHECK(producer.wait() == 0);
    CAPTURE(cancelled);
}

namespace {

asio::awaitable<int> get_in_time(coproc::queue<int> queue, std::chrono::microseconds time) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer{co_await asio::this_coro::executor, time};
    const auto first =
        co_await (queue.async_get(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    co_return first.index() == 0 ? std::get<0>(first) : 0;
}

asio::awaitable<void> get_all_in_time(coproc::queue<int> queue, std::vector<int>& got, int last) {
    std::minstd_rand random{11};
    while (got.empty() || got.back() != last) {
        const int x = co_await get_in_time(queue, std::chrono::microseconds{random() % 100});
        if (x != 0) got.push_back(x);
    }
}

} // namespace

TEST_CASE("a get that loses against a timer has taken nothing") {
    const coproc::queue<int> queue;
    constexpr int many = 2000;
    forked producer{[&] {
        std::mt19937 random{12};
        for (int i = 1; i <= many; ++i) {
            queue.put(i);
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 100});
        }
    }};
    std::vector<int> expected(many);
    std::iota(expected.begin(), expected.end(), 1);
    std::vector<int> got;
    run(get_all_in_time(queue, got, many));
    CHECK(got == expected);
    CHECK(producer.wait() == 0);
}

TEST_CASE("an element that is put back is the next, of whatever size") {
    const std::size_t size = GENERATE(std::size_t{10}, std::size_t{5000}, std::size_t{2'000'000});
    const coproc::joinable_queue<std::string> queue;
    queue.put(std::string(size, 'a'));
    queue.put("second");
    asio::io_context context;
    asio::cancellation_signal stop;
    bool cancelled = false;
    queue.async_get(asio::bind_executor(
        context, asio::bind_cancellation_slot(stop.slot(),
                                              [&](const std::exception_ptr& e, const std::string&) {
                                                  cancelled = e != nullptr;
                                              })));
    // There is one already: it has been got, and its handler has not run.
    CHECK(queue.size() == 1);
    stop.emit(asio::cancellation_type::all);
    CHECK(queue.size() == 2);
    context.run();
    CHECK(cancelled);
    CHECK(queue.get(patience) == std::string(size, 'a'));
    CHECK(queue.get(patience) == "second");
    queue.task_done();
    queue.task_done();
    CHECK(queue.join(patience));
}

TEST_CASE("many queues leave nothing behind") {
    for (int i = 0; i != 3; ++i) {
        const coproc::queue<int> warm;
        warm.put(1);
    }
    const auto before = open_descriptors();
    for (int i = 0; i != 300; ++i) {
        const coproc::queue<std::string> queue;
        queue.put("x");
        const coproc::queue<coproc::queue<std::string>> outer;
        outer.put(queue);
        CHECK(outer.get().get() == "x");
    }
    CHECK(open_descriptors() == before);
}
