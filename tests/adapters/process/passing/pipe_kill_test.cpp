// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Pipes whose senders and receivers are killed at any instruction.

#include "forked.hpp"
#include "pools.hpp"

#include <coproc/mutex.hpp>
#include <coproc/pipe.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

using namespace coproc_test;

namespace {

struct piece {
    int sender = 0;
    std::uint32_t number = 0;
    std::string ballast = {};
    std::optional<coproc::mutex> handle = {};
};

constexpr std::size_t most_senders = 512;
constexpr std::uint32_t most_pieces = 1 << 16;

struct ledger {
    std::array<std::atomic<std::uint32_t>, most_senders> sent;
    std::array<std::array<std::atomic<std::uint8_t>, most_pieces>, most_senders> received;
    std::atomic<std::uint32_t> damaged;
};

std::string ballast(std::uint32_t number, std::mt19937& sizes) {
    std::size_t size = sizes() % 64;
    if (sizes() % 16 == 0) size = 1000 + sizes() % 20'000;
    if (sizes() % 64 == 0) size = 80'000 + sizes() % 150'000;
    return std::string(size, static_cast<char>('a' + number % 26));
}

bool whole(const piece& p) {
    return p.ballast.find_first_not_of(static_cast<char>('a' + p.number % 26)) == std::string::npos;
}

} // namespace

TEST_CASE("a pipe loses nothing of the survivors and doubles nothing, whoever is killed when",
          "[kill]") {
    const unsigned seed = GENERATE(1u, 2u, 3u);
    CAPTURE(seed);
    std::mt19937 random{seed};

    auto [here, there] = coproc::pipe<piece>();
    const in_common<ledger> book;
    std::size_t senders = 0;
    const auto send = [&, &from = here] {
        const auto self = senders++;
        return forked{[&, self] {
            std::mt19937 sizes{static_cast<unsigned>(self)};
            for (std::uint32_t i = 0; i != most_pieces; ++i) {
                piece p{static_cast<int>(self), i, ballast(i, sizes), {}};
                if (sizes() % 32 == 0) p.handle.emplace();
                from.send(p);
                book->sent[self].store(i + 1);
            }
            for (;;)
                ::pause();
        }};
    };
    const auto receive = [&, &at = there] {
        return forked{[&] {
            for (;;) {
                const piece p = at.recv();
                if (!whole(p) || (p.handle && !p.handle->try_lock())) book->damaged.fetch_add(1);
                book->received[static_cast<std::size_t>(p.sender)][p.number].fetch_add(1);
            }
        }};
    };

    std::array<forked, 2> makers{send(), send()};
    std::array<forked, 2> takers{receive(), receive()};
    int dead_takers = 0;
    for (int kills = 0; kills != 300; ++kills) {
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 2000});
        const std::size_t which = random() % 2;
        if (random() % 2 == 0) {
            makers[which].kill();
            makers[which] = send();
        } else {
            takers[which].kill();
            takers[which] = receive();
            ++dead_takers;
        }
    }
    for (forked& maker : makers)
        maker.kill();
    REQUIRE(eventually([&, &at = there] { return !at.poll(); }));
    // What the last receivers have got is written down soon.
    const auto missing = [&] {
        std::int64_t n = 0;
        for (std::size_t s = 0; s != senders; ++s)
            for (std::uint32_t i = 0; i != book->sent[s]; ++i)
                n += book->received[s][i] == 0 ? 1 : 0;
        return n;
    };
    // A message may be lost only with the receiver that had taken it.
    CHECK(eventually([&] { return missing() <= dead_takers; }));
    int doubled = 0;
    for (std::size_t s = 0; s != senders; ++s)
        for (std::uint32_t i = 0; i != most_pieces; ++i)
            doubled += book->received[s][i] > 1 ? 1 : 0;
    CHECK(doubled == 0);
    CHECK(book->damaged == 0);

    // And it works on.
    for (forked& taker : takers)
        taker.kill();
    here.send({0, 1, "b", {}}, patience);
    CHECK(there.recv(patience).ballast == "b");
    here.close();
    CHECK_THROWS_AS(there.recv(patience), coproc::end_of_stream_error);
}

TEST_CASE("a sender that is killed within a large message leaves the stream whole", "[kill]") {
    const unsigned seed = 7;
    CAPTURE(seed);
    std::mt19937 random{seed};
    const std::string payload(20'000'000, 'x');
    auto [here, there] = coproc::pipe<std::string>();
    for (int kills = 0; kills != 12; ++kills) {
        forked sender{[&, &from = here] {
            from.send("begin");
            from.send(payload);
            from.send(payload);
        }};
        CHECK(there.recv(patience) == "begin");
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 40'000});
        sender.kill();
        // What arrived, arrived whole.
        while (there.poll())
            CHECK(there.recv(patience).size() == payload.size());
    }
    here.close();
    CHECK_THROWS_AS(there.recv(patience), coproc::end_of_stream_error);
}

TEST_CASE("everybody at the other end of a pipe is killed, over and over", "[kill]") {
    const unsigned seed = 11;
    CAPTURE(seed);
    std::mt19937 random{seed};
    for (int round = 0; round != 100; ++round) {
        auto [here, there] = coproc::pipe<std::uint64_t>();
        forked echo{[&, &mine = here, &its = there] {
            mine.close();
            for (;;)
                its.send(its.recv() + 1);
        }};
        there.close();
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 500});
        std::atomic<bool> go{true};
        std::thread killer{[&] {
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 1500});
            echo.kill();
            go = false;
        }};
        std::uint64_t n = 0;
        try {
            for (;;) {
                here.send(n, patience);
                n = here.recv(patience);
            }
        } catch (const coproc::end_of_stream_error&) {
            SUCCEED();
        }
        killer.join();
        CHECK_THROWS_AS(here.send(1, patience), coproc::end_of_stream_error);
        CHECK_THROWS_AS(here.recv(patience), coproc::end_of_stream_error);
        CHECK(here.poll());
    }
}
