// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/flights.hpp>

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <deque>
#include <random>

using namespace coproc_test;
using coproc::detail::chunk;
using coproc::detail::flights;
using coproc::detail::message_token;

namespace {

void send(flights& f, const fake_ptr& w, std::uint64_t id) {
    chunk c;
    c.of = w;
    c.id = id;
    f.reserve_one();
    f.push_back(std::move(c), message_token{id * 64});
}

} // namespace

TEST_CASE("flights are found by their chunk, and keep their order and their tokens") {
    flights f;
    CHECK(f.empty());
    CHECK(f.find(1) == nullptr);
    const fake_ptr w = fake_call();
    for (std::uint64_t id = 1; id <= 5; ++id)
        send(f, w, id);
    CHECK(f.take(f.find(1)).id == 1); // the first, one between others, the last
    CHECK(f.take(f.find(3)).id == 3);
    CHECK(f.take(f.find(5)).id == 5);
    REQUIRE(f.size() == 2);
    CHECK(f[0].what.id == 2);
    CHECK(f[1].what.id == 4);
    CHECK(f[1].token.position == 4 * 64);
    CHECK(f.find(3) == nullptr);
    CHECK(f.take(f.find(2)).id == 2);
    CHECK(f.take(f.find(4)).id == 4);
    CHECK(f.empty());
}

TEST_CASE("flights keep a work alive until they are taken, and no longer") {
    const int destroyed = fake_work::destroyed;
    flights f;
    send(f, fake_call(), 1);
    send(f, fake_call(), 2);
    CHECK(fake_work::destroyed == destroyed);
    static_cast<void>(f.take(f.find(1)));
    CHECK(fake_work::destroyed == destroyed + 1);
    f = flights{};
    CHECK(fake_work::destroyed == destroyed + 2);
}

TEST_CASE("flights do in any order what a list does") {
    flights f;
    std::deque<std::uint64_t> model;
    const fake_ptr w = fake_call();
    std::mt19937 random{7};
    std::uint64_t id = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (model.empty() || (random() % 2 == 0 && model.size() < 150)) {
            send(f, w, ++id);
            model.push_back(id);
        } else {
            const std::size_t at = random() % 8 != 0 ? 0 : random() % model.size();
            auto* const found = f.find(model[at]);
            REQUIRE(found != nullptr);
            REQUIRE(found->token.position == model[at] * 64);
            REQUIRE(f.take(found).id == model[at]);
            model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
        }
        REQUIRE(f.size() == model.size());
        REQUIRE(f.empty() == model.empty());
        if (!model.empty()) REQUIRE(f[0].what.id == model.front());
    }
}
