// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/outbox.hpp>

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <thread>

using namespace coproc_test;
using coproc::detail::chunk;
using coproc::detail::outbox;

namespace {

chunk chunk_of(const fake_ptr& w, std::uint64_t id) { return {w, id, 10 * id, 3, 2}; }

} // namespace

TEST_CASE("an outbox gives out chunks as they were put in, in their order") {
    outbox o;
    CHECK(o.empty());
    CHECK_FALSE(o.take());
    const fake_ptr one = fake_call();
    const fake_ptr two = fake_call();
    o.put(chunk_of(one, 1));
    o.put(chunk_of(two, 2));
    CHECK_FALSE(o.empty());
    const auto first = o.take();
    REQUIRE(first);
    CHECK(first->of.get() == one.get());
    CHECK(first->id == 1);
    CHECK(first->first == 10);
    CHECK(first->count == 3);
    CHECK(first->attempt == 2);
    const auto second = o.take();
    REQUIRE(second);
    CHECK(second->of.get() == two.get());
    CHECK(o.empty());
    CHECK_FALSE(o.take());
}

TEST_CASE("an outbox keeps a work alive until it is taken, and lets go at its end") {
    const int destroyed = fake_work::destroyed;
    {
        outbox o;
        o.put(chunk_of(fake_call(), 1));
        o.put(chunk_of(fake_call(), 2));
        CHECK(fake_work::destroyed == destroyed);
        static_cast<void>(o.take());
        CHECK(fake_work::destroyed == destroyed + 1);
    }
    CHECK(fake_work::destroyed == destroyed + 2);
}

TEST_CASE("an outbox may be filled by one thread and emptied by another") {
    constexpr std::uint64_t chunks = 100'000;
    outbox o;
    const fake_ptr w = fake_call();
    std::atomic<std::uint64_t> taken{0};
    std::thread filling{[&] {
        for (std::uint64_t id = 1; id <= chunks; ++id) {
            while (id - taken.load(std::memory_order_acquire) > outbox::capacity / 2)
                std::this_thread::yield();
            o.put(chunk_of(w, id));
        }
    }};
    std::uint64_t wrong = 0;
    while (taken != chunks)
        if (const auto next = o.take()) {
            if (next->id != taken + 1) ++wrong;
            taken.fetch_add(1, std::memory_order_release);
        } else {
            std::this_thread::yield();
        }
    filling.join();
    CHECK(wrong == 0);
    CHECK(o.empty());
}
