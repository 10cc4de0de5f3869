// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/callback_source.hpp>

#include "pools.hpp"

#include <coproc/detail/callback_batch.hpp>
#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/detail/result_core.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

using namespace coproc_test;
using coproc::detail::callback_batch;
using coproc::detail::callback_source;
using coproc::detail::post_callback;

namespace {

template <class F>
void post_some(F f) {
    const callback_batch batch;
    for (int i = 0; i < 10; ++i)
        post_callback(nullptr, f);
}

struct counts {
    std::atomic<int> looks{0};
    std::atomic<int> rests{0};
    std::atomic<int> called{0};
    std::atomic<int> ended{0};
    std::atomic<bool> over{false}; ///< it is not lent any more
    std::atomic<bool> slow{false}; ///< the callbacks that it leads to are
};

/// Leads to a callback at each of the first looks.
class well final : public callback_source {
public:
    well(counts& all, int callbacks) : counts_{all}, left_{callbacks} {}
    ~well() override { ++counts_.ended; }

private:
    bool look() noexcept override {
        ++counts_.looks;
        if (counts_.over) return false;
        if (left_ == 0) return true;
        --left_;
        post_callback(nullptr, [&c = counts_] {
            ++c.called;
            if (c.slow) std::this_thread::sleep_for(1ms);
        });
        return true;
    }
    bool rest() noexcept override {
        ++counts_.rests;
        return false;
    }

    counts& counts_;
    int left_; // on the callbacks' thread
};

/// Returns when what was handed over before has been called.
void let_it_catch_up() {
    // Shared: set_value() may still be at it when who waits has gone on.
    const auto reached = std::make_shared<std::promise<void>>();
    post_callback(nullptr, [reached] { reached->set_value(); });
    reached->get_future().get();
}

/// Callbacks are known to be short, by far. False: it would not pay even so.
bool get_used_to_short_ones() {
    for (int i = 0; i < 50; ++i) {
        post_some([] {});
        let_it_catch_up();
    }
    return eventually([] { return callback_source::would_pay(); });
}

/// With callbacks behind it. False: it cannot be.
template <class Callback>
bool lend(std::unique_ptr<well> w, Callback callback) {
    if (!get_used_to_short_ones()) return false;
    const callback_batch batch;
    const bool lent = callback_source::lend(std::move(w));
    for (int i = 0; i < 10; ++i)
        post_callback(nullptr, callback);
    return lent;
}
bool lend(std::unique_ptr<well> w) {
    return lend(std::move(w), [] {});
}

/// Nothing is lent where there is one CPU.
bool hopeless() { return coproc::detail::single_cpu(); }

} // namespace

TEST_CASE("callback_source: is looked at between callbacks, and rested when nothing comes") {
    if (hopeless()) return;
    counts c;
    REQUIRE(lend(std::make_unique<well>(c, 50)));
    CHECK(eventually([&] { return c.ended == 1; }));
    CHECK(c.rests == 1);
    CHECK(c.called == 50);
    CHECK(c.looks > 50);
    const int looks = c.looks;
    post_some([] {});
    let_it_catch_up();
    CHECK(c.looks == looks);
    CHECK(c.rests == 1);
}

TEST_CASE("callback_source: one that is gone is let go of") {
    if (hopeless()) return;
    counts c;
    for (int round = 1; round < 4; ++round) {
        c.over = false;
        REQUIRE(lend(std::make_unique<well>(c, 1'000'000'000)));
        CHECK(eventually([&] { return c.called > 100 * round; }));
        c.over = true;
        CHECK(eventually([&] { return c.ended == round; }));
    }
    let_it_catch_up();
    CHECK(c.rests == 0);
}

TEST_CASE("callback_source: many at a time, but not more than there are places") {
    if (hopeless()) return;
    REQUIRE(get_used_to_short_ones());
    counts c;
    constexpr int many = 100;
    for (int i = 0; i < many; ++i)
        static_cast<void>(callback_source::lend(std::make_unique<well>(c, 3)));
    CHECK(c.ended > 0);
    CHECK(c.ended < many);
    const int lent = many - c.ended;
    post_some([] {});
    CHECK(eventually([&] { return c.ended == many; }));
    let_it_catch_up();
    CHECK(c.called == 3 * lent);
}

TEST_CASE("callback_source: would not pay while its thread is behind") {
    if (hopeless()) return;
    counts c;
    REQUIRE(lend(std::make_unique<well>(c, 0))); // callbacks are short
    CHECK(eventually([&] { return c.ended == 1; }));
    std::promise<void> go_on;
    std::promise<void> begun;
    post_callback(nullptr, [&] {
        begun.set_value();
        go_on.get_future().wait();
    });
    begun.get_future().wait();
    post_some([] {});
    CHECK_FALSE(callback_source::would_pay());
    go_on.set_value();
    let_it_catch_up();
}

TEST_CASE("callback_source: is rested before a callback waits for a result") {
    if (hopeless()) return;
    const boost::intrusive_ptr<coproc::detail::result_state<int>> result{
        new coproc::detail::result_state<int>};
    counts c;
    REQUIRE(lend(std::make_unique<well>(c, 0), [&] { result->wait(); }));
    CHECK(eventually([&] { return c.ended == 1; }));
    CHECK(c.rests == 1);
    result->emplace(1);
    result->complete();
    let_it_catch_up();
    CHECK(c.rests == 1);
}

TEST_CASE("callback_source: is not looked at by a thread whose callbacks take long") {
    if (hopeless()) return;
    counts c;
    REQUIRE(lend(std::make_unique<well>(c, 1'000'000'000)));
    CHECK(eventually([&] { return c.called > 100; }));
    c.slow = true;
    CHECK(eventually([&] { return c.ended == 1; }));
    let_it_catch_up();
    CHECK(c.rests == 1);
    CHECK_FALSE(callback_source::would_pay());
    REQUIRE(lend(std::make_unique<well>(c, 0))); // once they are short again
    CHECK(eventually([&] { return c.ended == 2; }));
}
