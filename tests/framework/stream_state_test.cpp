// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a stream's consumer and its producer share, without a pool.

#include <coproc/detail/stream_state.hpp>

#include "support/pools.hpp"

#include <latch>
#include <stdexcept>
#include <thread>

using namespace coproc_test;
using coproc::detail::steady;

namespace {

/// Takes its time when it is moved for the first time.
struct slow_to_move {
    struct gates {
        std::latch entered{1};
        std::latch leave{1};
    };
    explicit slow_to_move(int v, gates* g = nullptr) noexcept : value{v}, on_the_way{g} {}
    slow_to_move(slow_to_move&& other) noexcept : value{other.value} {
        if (gates* const g = std::exchange(other.on_the_way, nullptr)) {
            g->entered.count_down();
            g->leave.wait();
        }
    }
    slow_to_move& operator=(slow_to_move&&) = delete;
    slow_to_move(const slow_to_move&) = delete;
    slow_to_move& operator=(const slow_to_move&) = delete;
    ~slow_to_move() = default;

    int value;
    gates* on_the_way = nullptr;
};

class pushed final : public coproc::detail::stream_state<slow_to_move> {
public:
    using stream_state::end;
    using stream_state::push;
    void abandon() noexcept override {}

private:
    void on_demand() override {}
};

} // namespace

TEST_CASE("a value that is on its way to a wait in vain is not asked for twice") {
    pushed stream;
    CHECK_THROWS_AS(stream.next(steady::now()), coproc::timeout_error);
    slow_to_move::gates gates;
    std::thread producer{[&] { stream.push(slow_to_move{1, &gates}); }};
    gates.entered.wait();
    const auto first = stream.async_next();
    CHECK_FALSE(first->ready());
    gates.leave.count_down();
    producer.join();
    REQUIRE(first->wait(steady::now() + patience));
    CHECK(first->take()->value == 1);
    const auto second = stream.async_next();
    CHECK_FALSE(second->ready());
    stream.push(slow_to_move{2});
    REQUIRE(second->ready());
    CHECK(second->take()->value == 2);
    stream.end();
    CHECK_FALSE(stream.next(steady::now() + patience));
}

namespace {

struct refuses_to_move {
    explicit refuses_to_move(int moves) noexcept : left{moves} {}
    refuses_to_move(refuses_to_move&& other) : left{other.left - 1} {
        if (left < 0) throw std::runtime_error{"it does not move"};
    }
    refuses_to_move& operator=(refuses_to_move&&) = delete;
    refuses_to_move(const refuses_to_move&) = delete;
    refuses_to_move& operator=(const refuses_to_move&) = delete;
    ~refuses_to_move() = default;
    int left;
};

class pushed_with_care final : public coproc::detail::stream_state<refuses_to_move> {
public:
    using stream_state::push;
    void abandon() noexcept override {}

private:
    void on_demand() override {}
};

} // namespace

TEST_CASE("whoever waits for a value that cannot be moved to him gets its error") {
    pushed_with_care stream;
    const auto first = stream.async_next();
    stream.push(refuses_to_move{0});
    REQUIRE(first->ready());
    CHECK_THROWS_AS(first->take(), std::runtime_error);
    stream.push(refuses_to_move{1}); // in vain: that was the end
    const auto second = stream.async_next();
    REQUIRE(second->ready());
    CHECK_FALSE(second->take());
}
