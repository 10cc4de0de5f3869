// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/callback_batch.hpp>

#include "catch.hpp"

#include <coproc/detail/callback_executor.hpp>

#include <algorithm>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

using coproc::detail::callback_batch;
using coproc::detail::post_callback;

namespace {

/// What has been called, in order. What is still queued when the test ends has a share of it.
class record {
public:
    void post(int what) {
        post_callback(nullptr, [called = called_, what] {
            const std::scoped_lock lock{called->mutex};
            called->in_order.push_back(what);
        });
    }
    /// All that had been handed over by then.
    std::vector<int> take() {
        // Shared: set_value() may still be at it when who waits has gone on.
        const auto reached = std::make_shared<std::promise<void>>();
        std::jthread{[&] { post_callback(nullptr, [reached] { reached->set_value(); }); }}.join();
        reached->get_future().get();
        const std::scoped_lock lock{called_->mutex};
        return std::exchange(called_->in_order, {});
    }

private:
    struct calls {
        std::mutex mutex;
        std::vector<int> in_order;
    };

    std::shared_ptr<calls> called_ = std::make_shared<calls>();
};

} // namespace

TEST_CASE("callback_batch: what its thread queues waits until it goes") {
    record all;
    {
        const callback_batch batch;
        all.post(1);
        all.post(2);
        std::jthread{[&] { all.post(3); }}.join();
        CHECK(all.take() == std::vector{3}); // which is another thread's
    }
    CHECK(all.take() == std::vector{1, 2});
    all.post(4);
    CHECK(all.take() == std::vector{4});
}

TEST_CASE("callback_batch: it can be handed over before") {
    record all;
    callback_batch::hand_over(); // there is none
    const callback_batch batch;
    callback_batch::hand_over(); // it is empty
    all.post(1);
    callback_batch::hand_over();
    CHECK(all.take() == std::vector{1});
    all.post(2);
    CHECK(all.take().empty());
}

TEST_CASE("callback_batch: nobody waits for more than so many others") {
    record all;
    std::vector<int> expected;
    const callback_batch batch;
    for (int i = 0; i < 200; ++i) {
        all.post(i);
        expected.push_back(i);
    }
    const auto called = all.take();
    CHECK(called.size() >= 100);
    CHECK(called.size() < 200);
    callback_batch::hand_over();
    auto rest = all.take();
    rest.insert(rest.begin(), called.begin(), called.end());
    CHECK(rest == expected);
}

TEST_CASE("callback_batch: one within another goes by itself") {
    record all;
    const callback_batch outer;
    all.post(1);
    {
        const callback_batch inner;
        all.post(2);
    }
    CHECK(all.take() == std::vector{2});
    callback_batch::hand_over();
    CHECK(all.take() == std::vector{1});
}

TEST_CASE("callback_batch: batches of several threads each keep their order") {
    constexpr int threads = 4;
    constexpr int each = 10'000;
    std::vector<int> next(threads, 0);
    int out_of_order = 0;
    const auto last = std::make_shared<std::promise<void>>();
    int left = threads * each; // on the callbacks' thread only, as all of these
    {
        std::vector<std::jthread> posters;
        for (int t = 0; t < threads; ++t)
            posters.emplace_back([&, t] {
                for (int i = 0; i < each;) {
                    const callback_batch batch;
                    for (const int end = std::min(each, i + 1 + i % 100); i < end; ++i)
                        post_callback(nullptr, [&, t, i, last] {
                            if (std::exchange(next[static_cast<std::size_t>(t)], i + 1) != i)
                                ++out_of_order;
                            if (--left == 0) last->set_value();
                        });
                }
            });
    }
    last->get_future().get();
    CHECK(out_of_order == 0);
}
