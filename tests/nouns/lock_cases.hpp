// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The lock that shared_value and shared_array have. Number()(held) is the number, a long, that is
// read and written while it is held.

#include "support/vocabularies.hpp"

#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace coproc_test {

/// A thread that has the lock gets it again, others do not; it ends with the last handle.
template <class Number, class Shared>
void check_try_lock(const Shared& shared) {
    constexpr Number number{};
    const auto others_get = [&] {
        bool got = false;
        std::thread{[&] {
            got = shared.try_lock().has_value();
            for (const auto time : {-1s, 0s})
                CHECK(shared.try_lock_for(time).has_value() == got);
            CHECK(shared.try_lock_for(got ? patience : 1ms).has_value() == got);
        }}.join();
        return got;
    };
    {
        auto outer = shared.try_lock();
        REQUIRE(outer);
        number(*outer) = 1;
        {
            const auto inner = shared.try_lock_for(0s); // this thread has it
            REQUIRE(inner);
            const auto lock = shared.lock();
            number(lock) += number(*inner);
        }
        CHECK_FALSE(others_get());
        auto moved = std::move(outer);
        CHECK_FALSE(others_get());
        moved = shared.try_lock(); // one more, then one less
        CHECK_FALSE(others_get());
        moved = std::nullopt;
        outer.reset();
    }
    CHECK(others_get());
    {
        auto held = shared.lock();
        held = shared.lock();
        CHECK(number(held) == 2);
        CHECK_FALSE(others_get());
    }
    CHECK(others_get());
}

/// Another party has it, and leaves it; several want it at the same time.
template <class Vocabulary, class Number, class Shared>
void check_timed_lock(const Shared& shared) {
    const typename Vocabulary::event locked;
    const typename Vocabulary::event leave;
    typename Vocabulary::crew crew{3};
    std::vector<coproc::async_result<void>> others;
    others.push_back(crew.apply_async(
        [](Shared s, typename Vocabulary::event in, typename Vocabulary::event out) {
            const auto held = s.lock();
            in.set();
            out.wait(patience);
        },
        shared, locked, leave));
    REQUIRE(locked.wait(patience));
    CHECK_FALSE(shared.try_lock());
    CHECK_FALSE(shared.try_lock_for(1ms));
    leave.set();
    CHECK(shared.try_lock_for(patience));
    for (int i = 0; i < 2; ++i)
        others.push_back(crew.apply_async(
            [](Shared s) {
                for (int k = 0; k < 500; ++k) {
                    auto held = s.try_lock();
                    while (!held)
                        held = s.try_lock_for(10us);
                    ++Number()(*held);
                }
            },
            shared));
    all_end(others);
    const auto held = shared.lock();
    CHECK(Number()(held) == 1000);
}

} // namespace coproc_test
