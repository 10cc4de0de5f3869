// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Whose turn it is among the calls on users' objects, told of calls that come and end.

#include <manager/call_lanes.hpp>

#include "support/catch.hpp"

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

using namespace coproc::detail;

namespace {

using lane = call_lanes::lane;

pending_call call_of(client_id client, std::uint64_t number) {
    pending_call call;
    call.request.client = client;
    call.request.header.id = number;
    return call;
}

/// With the clients that have gone.
struct lanes_under_test {
    /// Whether the call may run now.
    bool enter(lane in, client_id client, std::uint64_t number) {
        pending_call call = call_of(client, number);
        const bool runs = lanes.enter(in, call);
        if (runs) CHECK(call.request.header.id == number); // it is still the caller's
        return runs;
    }
    /// The number of the call that runs next.
    std::optional<std::uint64_t> leave(lane in) {
        const bool more =
            lanes.leave(in, [this](client_id client) { return !gone.contains(client); });
        if (!more) return std::nullopt;
        return lanes.next(in).request.header.id;
    }

    call_lanes lanes;
    std::set<client_id> gone;
};

} // namespace

TEST_CASE("calls in a lane run one after another, in their order") {
    lanes_under_test t;
    const lane in{1, 0};
    CHECK(t.enter(in, 10, 1));
    CHECK_FALSE(t.enter(in, 11, 2));
    CHECK_FALSE(t.enter(in, 10, 3));
    CHECK(t.leave(in) == 2u);
    CHECK_FALSE(t.enter(in, 12, 4)); // the lane is taken as long as one of its calls runs
    CHECK(t.leave(in) == 3u);
    CHECK(t.leave(in) == 4u);
    CHECK(t.leave(in) == std::nullopt);
    CHECK(t.enter(in, 11, 5));
}

TEST_CASE("lanes do not wait for each other") {
    lanes_under_test t;
    CHECK(t.enter({1, 0}, 10, 1));
    CHECK(t.enter({2, 0}, 10, 2));
    CHECK(t.enter({2, 10}, 10, 3));
    CHECK(t.enter({2, 11}, 11, 4));
    CHECK_FALSE(t.enter({2, 11}, 11, 5));
    CHECK(t.lanes.size() == 4);
    CHECK(t.leave({2, 10}) == std::nullopt);
    CHECK(t.leave({2, 11}) == 5u);
    CHECK(t.leave({1, 0}) == std::nullopt);
}

TEST_CASE("calls without a lane run at once") {
    lanes_under_test t;
    CHECK(t.enter({}, 10, 1));
    CHECK(t.enter({}, 10, 2));
    CHECK(t.lanes.size() == 0);
    CHECK(t.leave({}) == std::nullopt);
    CHECK(t.leave({}) == std::nullopt);
}

TEST_CASE("a lane that nobody uses is forgotten") {
    lanes_under_test t;
    const lane in{1, 0};
    CHECK(t.enter(in, 10, 1));
    CHECK_FALSE(t.enter(in, 10, 2));
    CHECK(t.lanes.size() == 1);
    CHECK(t.leave(in) == 2u);
    CHECK(t.lanes.size() == 1);
    CHECK(t.leave(in) == std::nullopt);
    CHECK(t.lanes.size() == 0);
}

TEST_CASE("calls of clients that have gone do not get their turn") {
    lanes_under_test t;
    const lane in{1, 0};
    CHECK(t.enter(in, 10, 1));
    SECTION("others do") {
        CHECK_FALSE(t.enter(in, 11, 2));
        CHECK_FALSE(t.enter(in, 11, 3));
        CHECK_FALSE(t.enter(in, 12, 4));
        CHECK_FALSE(t.enter(in, 11, 5));
        t.gone = {11};
        CHECK(t.leave(in) == 4u);
        CHECK(t.leave(in) == std::nullopt);
    }
    SECTION("nobody else waits: the lane is free, and the calls let go of the object") {
        const auto object = std::make_shared<user_object>();
        pending_call call = call_of(11, 2);
        call.object = object;
        CHECK_FALSE(t.lanes.enter(in, call));
        CHECK(object.use_count() == 2);
        t.gone = {11};
        CHECK(t.leave(in) == std::nullopt);
        CHECK(object.use_count() == 1);
        CHECK(t.lanes.size() == 0);
    }
    SECTION("it is the one that ran") {
        CHECK_FALSE(t.enter(in, 11, 2));
        t.gone = {10};
        CHECK(t.leave(in) == 2u);
    }
}

TEST_CASE("lanes keep their order, whatever comes when") {
    struct waiting {
        client_id client;
        std::uint64_t number;
    };
    std::mt19937 random{11};
    const auto below = [&](std::uint64_t n) { return random() % n; };
    lanes_under_test t;
    std::map<lane, std::deque<waiting>> expected; // behind the call that runs
    std::vector<lane> running;
    client_id oldest = 1; // of eight clients that are there
    std::uint64_t number = 0;
    for (int step = 0; step != 20'000; ++step) {
        const auto what = below(100);
        if (what < 55 && running.size() < 200) {
            const client_id client = oldest + below(8);
            const lane in{below(4), below(2) != 0 ? client : 0};
            const bool free = in.object == 0 || !expected.contains(in);
            REQUIRE(t.enter(in, client, ++number) == free);
            if (free) running.push_back(in);
            if (in.object == 0) continue;
            auto& queue = expected[in];
            if (!free) queue.push_back({client, number});
        } else if (what < 99 && !running.empty()) {
            const auto which = running.begin() + static_cast<std::ptrdiff_t>(below(running.size()));
            const lane in = *which;
            const auto next = t.leave(in);
            auto& queue = expected[in];
            std::erase_if(queue, [&](const waiting& w) { return t.gone.contains(w.client); });
            if (queue.empty()) {
                REQUIRE(next == std::nullopt);
                expected.erase(in);
                running.erase(which);
            } else {
                REQUIRE(next == queue.front().number);
                queue.pop_front();
            }
        } else {
            t.gone.insert(oldest++);
        }
        REQUIRE(t.lanes.size() == expected.size());
    }
    CHECK(number > 5'000);
}
