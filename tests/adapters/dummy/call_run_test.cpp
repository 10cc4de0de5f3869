// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <call_run.hpp>

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <coproc/detail/patient_mutex.hpp>

#include <atomic>
#include <thread>
#include <vector>

using namespace coproc_test;
using coproc::detail::call_run;
using coproc::detail::work;
using coproc::detail::work_ptr;

namespace {

/// A run of so many calls, each kept alive by it.
struct run_of {
    explicit run_of(std::size_t calls) {
        for (std::size_t i = 0; i < calls; ++i)
            all.push_back(fake_call());
        again();
    }
    void again() {
        std::vector<work*> list;
        for (const auto& each : all)
            list.push_back(work_ptr{each.get()}.detach());
        run.assign(list, ++number);
    }
    /// What it gives out goes back.
    bool is(work* got, std::size_t index) { return work_ptr{got, false}.get() == all[index].get(); }
    bool waiting(const call_run::recalled& back, std::size_t from) {
        bool same = back.waiting.size() == all.size() - from;
        for (std::size_t i = 0; i < back.waiting.size(); ++i)
            same = is(back.waiting[i], from + i) && same;
        return same;
    }

    std::vector<fake_ptr> all;
    call_run run;
    std::uint32_t number = 0;
};

} // namespace

TEST_CASE("a run gives out its calls in order, and ends") {
    run_of three{3};
    CHECK(three.is(three.run.begin(), 0));
    CHECK(three.run.take_completed() == 0);
    auto step = three.run.end();
    CHECK(step.ended);
    CHECK(three.is(step.next, 1));
    CHECK(three.run.take_completed() == 1);
    CHECK(three.is(three.run.end().next, 2));
    step = three.run.end();
    CHECK(step.ended);
    CHECK(step.next == nullptr);
    CHECK(three.run.take_completed() == 2);
    CHECK(three.run.take_completed() == 0);
    for (const auto& each : three.all)
        CHECK(each->use_count() == 1);
}

TEST_CASE("a run that is recalled before it begins has nothing left to run") {
    run_of two{2};
    const auto back = two.run.recall();
    CHECK(back.adopted == nullptr);
    CHECK(two.waiting(back, 0));
    CHECK(two.run.begin() == nullptr);
    CHECK(two.run.take_completed() == 0);
}

TEST_CASE("a run that is recalled gives up its running call once, and what waits behind it") {
    run_of three{3};
    static_cast<void>(three.is(three.run.begin(), 0));
    static_cast<void>(three.is(three.run.end().next, 1));
    auto back = three.run.recall();
    CHECK(back.adopted == three.all[1].get());
    CHECK(three.waiting(back, 2));
    CHECK(three.run.take_completed() == 1);
    back = three.run.recall();
    CHECK(back.adopted == nullptr);
    CHECK(back.waiting.empty());
    CHECK_FALSE(three.run.end().ended);
    CHECK(three.run.take_completed() == 0);
}

TEST_CASE("a run that is over can be recalled, and followed by another one") {
    run_of two{2};
    const auto before = two.run.place();
    static_cast<void>(two.is(two.run.begin(), 0));
    CHECK(two.run.place() != before);
    static_cast<void>(two.is(two.run.end().next, 1));
    static_cast<void>(two.run.end());
    const auto back = two.run.recall();
    CHECK(back.adopted == nullptr);
    CHECK(back.waiting.empty());
    CHECK(two.run.take_completed() == 2);
    two.again();
    CHECK(two.run.number() == 2);
    CHECK(two.is(two.run.begin(), 0));
    CHECK(two.run.recall().adopted == two.all[0].get());
    CHECK(work_ptr{two.all[1].get(), false}); // it was waiting
}

TEST_CASE("each call of a run is either published by its thread or given back, whoever is first") {
    constexpr std::size_t calls = call_run::most;
    for (int round = 0; round < 2000; ++round) {
        run_of all{calls};
        std::size_t published = 0;
        bool adopted_seen = false;
        std::atomic<bool> begun{false};
        std::thread thread{[&] {
            begun = true;
            for (work* next = all.run.begin(); next != nullptr;) {
                const work_ptr running{next, false};
                const auto step = all.run.end();
                if (!step.ended) {
                    adopted_seen = true;
                    return;
                }
                ++published;
                next = step.next;
            }
        }};
        while (!begun) {}
        for (int i = 0; i < round % 64; ++i)
            coproc::detail::patient_mutex::pause();
        const auto back = all.run.recall();
        for (work* each : back.waiting)
            static_cast<void>(work_ptr{each, false});
        thread.join();
        REQUIRE(adopted_seen == (back.adopted != nullptr));
        REQUIRE(published + (adopted_seen ? 1 : 0) + back.waiting.size() == calls);
        REQUIRE(all.run.take_completed() == published);
        for (const auto& each : all.all)
            REQUIRE(each->use_count() == 1);
    }
}
